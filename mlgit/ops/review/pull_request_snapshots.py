"""Snapshots of pull requests: fetched from the forge, recorded on the ledger with the reviewed commits, and read from there."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import from_mapping, to_json
from mlgit.domain.forge import PullRequest
from mlgit.domain.names import CommitId
from mlgit.domain.records.ledger import PullRequestSnapshot
from mlgit.domain.reviews import reviewed_commits, same_content
from mlgit.errors import MlgitError, inconclusive
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.appliers import Appliers
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace

_MAX_LINE: Final = 500  # characters of one value from a forge
# Commits that are fetched by their ids: each takes a fetch of its own, and a stranger may submit a thousand reviews of commits
# that are gone.
_MAX_SINGLE_FETCHES: Final = 20

_Snapshot = TypeVar("_Snapshot", bound=PullRequestSnapshot)


def take(
    workspace: Workspace, forge: Forge, kind: type[_Snapshot], subject: Mapping[str, Any], pull_request: PullRequest
) -> _Snapshot:
    """Return a snapshot of a pull request with its reviews.

    Args:
        workspace: where.
        forge: the forge.
        kind: the kind of record.
        subject: the fields of the record that say what the pull request proposes.
        pull_request: the pull request.

    Raises:
        Inconclusive: the forge gave invalid data (`forge-response-invalid`), or did not answer.
    """
    pushers = forge.pushers(pull_request)
    document = {
        "schema": 1,
        **subject,
        "forge": forge.name,
        "repository": one_line(forge.repository),
        "pull_request": pull_request.number,
        "url": one_line(pull_request.url),
        "branch": one_line(pull_request.branch),
        "base": one_line(pull_request.base),
        "head": pull_request.head,
        "author": one_line(pull_request.author),
        "pushers": None if pushers is None else [one_line(login) for login in pushers],
        "merged_as": pull_request.merged_as if pull_request.state == "merged" else None,
        "merged_by": one_line(pull_request.merged_by),
        "reviews": [
            {
                "id": review.id,
                "login": one_line(review.login),
                "verdict": review.verdict,
                "commit": review.commit,
                "at": review.at,
            }
            for review in forge.reviews(pull_request.number)
        ],
        "by": one_line(forge.token_login()) or forge.name,
        "at": workspace.clock.now(),
    }
    return _to_record(document, kind, forge)


def with_checks_and_rules(workspace: Workspace, reviews: _Snapshot) -> _Snapshot:
    """Return a snapshot with the checks on the head and the rules of the base branch, as far as the token may read them."""
    forge = workspace.forge()
    if forge is None:
        return reviews
    checks: list[dict[str, Any]] | None = None
    rules: dict[str, Any] | None = None
    with contextlib.suppress(MlgitError):  # they are for information, and the token may not be allowed to read them
        checks = [
            {"name": one_line(check.name), "state": check.state, "by": one_line(check.by)}
            for check in forge.checks(reviews.head)
        ]
    with contextlib.suppress(MlgitError):
        fields = msgspec.to_builtins(forge.branch_rules(reviews.base))
        rules = {name: value for name, value in fields.items() if name != "raw" and value is not None}
    document = {**msgspec.to_builtins(reviews), "checks": checks, "rules": rules}
    return _to_record(document, type(reviews), forge)


def latest(recorded: Ledger, kind: type[_Snapshot], folder: str, appliers: Appliers | None = None) -> _Snapshot | None:
    """Return the newest snapshot in a folder of a ledger, of those that an applier signed if `appliers` are given.

    None where it has none.
    """
    for number in sorted(_numbers(recorded, folder), reverse=True):
        path = _path(folder, number)
        reviews = recorded.find(kind, path)
        if reviews is not None and (appliers is None or appliers.problem(recorded, path, reviews) is None):
            return reviews
    return None


def new_files(recorded: Ledger, folder: str, reviews: PullRequestSnapshot) -> Mapping[str, bytes]:
    """Return the file to add to a folder of a ledger; none where its newest file has the same content, and is signed."""
    last = latest(recorded, type(reviews), folder)
    newest = max(_numbers(recorded, folder), default=0)
    signature = layout.signature(_path(folder, newest))
    is_signed = recorded.tree is not None and recorded.tree.read(signature) is not None
    if last is not None and is_signed and same_content(last, reviews):
        return {}
    return {_path(folder, newest + 1): to_json(reviews)}


def commits_to_keep(repository: Repository, reviews: PullRequestSnapshot, head: CommitId) -> list[CommitId]:
    """Return the reviewed commits that are here, and that nothing but the ledger would keep.

    Args:
        repository: where.
        reviews: the reviews.
        head: the commit that is merged, with which its ancestors are kept.
    """
    commits: list[CommitId] = []
    for commit in reviewed_commits(reviews):
        if repository.resolve(commit) is None:
            continue
        if not any(remote.contains(repository, other, commit) for other in (head, *commits)):
            commits.append(commit)
    return commits


def present_commits(repository: Repository, reviews: PullRequestSnapshot) -> list[CommitId]:
    """Return the reviewed commits that are here; none without the head, as the authors of the commits are unknown then."""
    commits = [commit for commit in reviewed_commits(reviews) if repository.resolve(commit) is not None]
    return commits if reviews.head in commits else []


def fetch_reviewed_commits(repository: Repository, reviews: PullRequestSnapshot) -> None:
    """Fetch the reviewed commits. One that a force push removed can be fetched by its id, if the remote allows that.

    Raises:
        Inconclusive: the remote did not answer.
    """
    if not remote.exists(repository):
        return
    local = f"refs/mlgit/pull/{reviews.pull_request}"
    commits = reviewed_commits(reviews)
    if _missing(repository, commits):
        # As a pattern, since a pattern that matches nothing is no error.
        heads = f"refs/pull/{reviews.pull_request}/head*"
        repository.fetch(remote.NAME, [f"+{heads}:{local}/head*"])
    for commit in _missing(repository, commits)[:_MAX_SINGLE_FETCHES]:
        with contextlib.suppress(MlgitError):
            repository.fetch(remote.NAME, [f"+{commit}:{local}/{commit}"])


def merged_pull_requests(forge: Forge, commits: Iterable[CommitId], base: str) -> list[PullRequest]:
    """Return the pull requests that brought commits to a base branch, those whose merge commit is the first of them first."""
    commits = list(commits)
    pulls = [pull for commit in commits for pull in forge.pull_requests_of(commit)]
    merged = {pull.number: pull for pull in pulls if pull.base == base and pull.state == "merged"}
    return sorted(merged.values(), key=lambda pull: pull.merged_as != commits[0])


def one_line(text: str | None) -> str | None:
    """Return a text from a forge as one line of limited length; None for an empty one."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text)[:_MAX_LINE] if text else None


def _to_record(document: Mapping[str, Any], kind: type[_Snapshot], forge: Forge) -> _Snapshot:
    try:
        return from_mapping(kind, {"kind": kind.__struct_config__.tag, **document})
    except msgspec.ValidationError as error:
        raise inconclusive(
            "forge-response-invalid",
            f"{forge.name} gave invalid data about a pull request",
            why=str(error),
            fix="run the command again; if it fails again, this mlgit does not support the version of the forge",
        ) from error


def _path(folder: str, number: int) -> str:
    return f"{folder}/{number}.json"


def _numbers(recorded: Ledger, folder: str) -> list[int]:
    names = [] if recorded.tree is None else recorded.tree.names(folder)
    return [number for name in names if (number := layout.sequence_number(name)) is not None]


def _missing(repository: Repository, commits: Sequence[CommitId]) -> list[CommitId]:
    return [commit for commit in commits if repository.resolve(commit) is None]
