"""Other repositories: push and fetch, with what the other side said when it refused.

Plain Git rather than GitPython, whose `push` keeps the status of each ref but drops what a hook of the remote said, which is
what the person has to read.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git, said_in_short
from mlgit.errors import MlgitError, inconclusive, refused

TIMEOUT: Final = 300.0
"""Seconds that a remote may take."""

_FATAL: Final = 128


def push(
    git: Git, remote: str, refspecs: Sequence[str], expected: Mapping[str, CommitId | None], *, timeout: float = TIMEOUT
) -> None:
    """Push refs; those in `expected` only if the remote has them there (None: only if it does not have them).

    Raises:
        MlgitError: the remote has commits that we lack, or a rule of its own refused (`push-refused`).
        Unjudged: it did not answer (`remote-unreachable`, `tool-timeout`).
    """
    leases = [f"--force-with-lease={ref}:{at or ''}" for ref, at in expected.items()]
    words = ("push", "--porcelain", "--no-recurse-submodules", *leases, "--", remote, *refspecs)
    done = git.run(*words, write=True, check=False, timeout=timeout)
    if not done.code:
        return
    rejected = [line for line in done.stdout.decode(errors="replace").split("\n") if line.startswith("!\t")]
    if not rejected:
        raise _no_answer(git, "push", remote, done.code, done.stderr)
    told = [line.removeprefix("remote:").strip() for line in done.stderr.split("\n") if line.startswith("remote:")]
    reasons = [" ".join(line.split("\t")[1:]) for line in rejected]
    raise refused(
        "push-refused",
        f"{remote} refused the push",
        why="; ".join([*reasons, *filter(None, told)]),
        fix=f"run `git fetch {remote}` and the command again; if a rule of {remote} refused, see to that",
    )


def fetch(git: Git, remote: str, refspecs: Sequence[str], *, timeout: float = TIMEOUT) -> None:
    """Fetch refs.

    Raises:
        MlgitError: the remote has no such ref (`remote-ref-unknown`).
        Unjudged: it did not answer (`remote-unreachable`, `tool-timeout`), or a ref cannot be moved (`git-failed`).
    """
    words = ("fetch", "--quiet", "--no-recurse-submodules", "--no-write-fetch-head", "--", remote, *refspecs)
    done = git.run(*words, write=True, check=False, timeout=timeout)
    if not done.code:
        return
    if "find remote ref" in done.stderr:
        raise refused(
            "remote-ref-unknown", f"{remote} does not have what was asked for", why=said_in_short(done.stderr)
        )
    raise _no_answer(git, "fetch", remote, done.code, done.stderr)


def _no_answer(git: Git, command: str, remote: str, code: int, said: str) -> MlgitError:
    error = git.failure([command], said) if code != _FATAL or "remote" not in said else None
    if error is not None:
        return error
    return inconclusive(
        "remote-unreachable",
        f"remote {remote} does not answer",
        why=said_in_short(said),
        fix=f"try `git ls-remote {remote}`: it shows whether address, network and credentials are right",
    )
