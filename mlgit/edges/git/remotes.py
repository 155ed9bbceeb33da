"""Fetch from remotes and push to them, and translate what the remote answers."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Literal

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git, one_line
from mlgit.errors import MlgitError, inconclusive, refused

if TYPE_CHECKING:
    from mlgit.edges.process import Completed

TIMEOUT: Final = 300.0
"""Seconds that a remote may take."""

ShowProgress = Callable[[str], AbstractContextManager[Callable[[str], None]]]
"""Opens a display for something that takes long; what it yields is called with the progress."""

_FATAL: Final = 128


def push(
    git: Git,
    remote: str,
    refspecs: Sequence[str],
    expected: Mapping[str, CommitId | None],
    *,
    show: ShowProgress | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Push refs.

    Args:
        git: the repository.
        remote: name of the remote.
        refspecs: what to push.
        expected: refs to push by force, but only if the remote has them at that commit (None: does not have them).
        show: displays the progress; None if nobody watches.
        timeout: seconds that the remote may take.

    Raises:
        MlgitError: the remote has commits that are not here, or a rule of the remote refused (`push-rejected`).
        Inconclusive: it did not answer (`git-remote-unreachable`, `tool-timeout`).
    """
    leases = [f"{ref}:{commit or ''}" for ref, commit in expected.items()]
    options = {"porcelain": True, "no_recurse_submodules": True, "force_with_lease": leases}
    completed = _transfer(git, "push", remote, refspecs, options, show, timeout)
    if not completed.code:
        return
    rejected = [line for line in completed.stdout.decode(errors="replace").split("\n") if line.startswith("!\t")]
    if not rejected:
        raise _no_answer(git, "push", remote, completed)
    # What a hook of the remote printed is on stderr, and says what the person has to do.
    messages = [
        line.removeprefix("remote:").strip() for line in completed.stderr.split("\n") if line.startswith("remote:")
    ]
    reasons = [" ".join(line.split("\t")[1:]) for line in rejected]
    raise refused(
        "push-rejected",
        f"{remote} refused the push",
        why="; ".join([*reasons, *filter(None, messages)]),
        fix=f"run `git fetch {remote}` and the command again; if a rule of {remote} refused the push, do what the rule asks",
    )


def fetch(
    git: Git, remote: str, refspecs: Sequence[str], *, show: ShowProgress | None = None, timeout: float = TIMEOUT
) -> None:
    """Fetch refs.

    Args:
        git: the repository.
        remote: name of the remote.
        refspecs: what to fetch, and which refs to point at it.
        show: displays the progress; None if nobody watches.
        timeout: seconds that the remote may take.

    Raises:
        MlgitError: the remote has no such ref (`git-remote-ref-unknown`).
        Inconclusive: it did not answer (`git-remote-unreachable`, `tool-timeout`), or a ref cannot be moved (`git-failed`).
    """
    # FETCH_HEAD belongs to the person, whose `git merge FETCH_HEAD` would otherwise merge something else.
    options = {"quiet": True, "no_recurse_submodules": True, "no_write_fetch_head": True}
    completed = _transfer(git, "fetch", remote, refspecs, options, show, timeout)
    if not completed.code:
        return
    if "find remote ref" in completed.stderr:
        raise refused(
            "git-remote-ref-unknown", f"{remote} does not have the requested refs", why=one_line(completed.stderr)
        )
    raise _no_answer(git, "fetch", remote, completed)


def _transfer(
    git: Git,
    name: Literal["fetch", "push"],
    remote: str,
    refspecs: Sequence[str],
    options: Mapping[str, Any],
    show: ShowProgress | None,
    timeout: float,
) -> "Completed":
    from mlgit.edges.git import gitpython  # noqa: PLC0415 - GitPython

    what = f"fetching from {remote}" if name == "fetch" else f"pushing to {remote}"
    with nullcontext(None) if show is None else show(what) as on_progress:
        return gitpython.transfer(
            git, name, remote, refspecs, options=options, timeout=timeout, on_progress=on_progress
        )


def _no_answer(git: Git, command: str, remote: str, completed: "Completed") -> MlgitError:
    # Git says "remote" in the errors about connections; other errors are about this repository.
    if completed.code != _FATAL or "remote" not in completed.stderr:
        return git.failure([command], completed.stderr)
    return inconclusive(
        "git-remote-unreachable",
        f"remote {remote} does not answer",
        why=one_line(completed.stderr),
        fix=f"try `git ls-remote {remote}`: it shows whether address, network and credentials are right",
    )
