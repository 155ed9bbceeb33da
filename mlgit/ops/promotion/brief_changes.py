"""What changed between the champion and the candidate: data, code, parameters, columns, card."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from mlgit.domain import brief, layout
from mlgit.domain.approvals import People
from mlgit.domain.cards import CardText
from mlgit.domain.codec import sha256, to_mapping
from mlgit.domain.names import CommitId, Name, VersionRef
from mlgit.domain.records import Dataset, GateReport, Version
from mlgit.domain.records.version import StoredFile
from mlgit.errors import MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import model_inputs
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries import diff
from mlgit.ops.queries.diff import InputChange
from mlgit.ops.review.proposals import Proposal

FileStatus = Literal["added", "changed", "deleted"]
"""What a change does to a file."""

_RECORD_FIELDS = (
    "seed",
    "test split",
    "format",
    "size",
    "p95 ms",
    "latency measured on",
    "trained by",
)  # of what `diff` compares, by its names


class DataChange(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that one version or both were trained on: its content, its rows by the gate reports, its contract.

    `contract` lists the rules that changed since the champion was trained; None where that commit is not in this clone.
    """

    dataset: Name
    before: StoredFile | None
    after: StoredFile | None
    rows_before: int | None = None
    rows_after: int | None = None
    contract: list[InputChange] | None = None

    @property
    def same(self) -> bool:
        """Whether the content is the same, by its digest."""
        return self.before is not None and self.after is not None and self.before.sha256 == self.after.sha256


class CodeChange(msgspec.Struct, frozen=True, kw_only=True):
    """The code that a version depends on: the paths under `reads`, at the two commits that the versions were trained from.

    `commits` and `authors` are those of the commits in between that changed such paths. `not_compared` says why the code could
    not be compared; None where it was.
    """

    same: bool
    before: CommitId
    after: CommitId
    files: dict[str, FileStatus] = {}
    commits: int = 0
    authors: list[str] = []
    not_compared: str | None = None


class ColumnsChange(msgspec.Struct, frozen=True, kw_only=True):
    """The input columns of the model."""

    added: list[str]
    removed: list[str]
    reordered: bool


class CardChange(msgspec.Struct, frozen=True, kw_only=True):
    """The sections of the card that differ, by heading. `not_compared` says why the cards could not be compared."""

    sections: dict[str, Literal["added", "changed", "removed"]] = {}
    not_compared: str | None = None


class ChangesSinceChampion(msgspec.Struct, frozen=True, kw_only=True):
    """All that changed since the champion. The training rows are those of the tables that the versions were trained on.

    `lock_file` is the file that pins the packages; None where both have the same. `other` lists other fields of the version
    records that differ.
    """

    champion: str
    training_rows_before: int | None
    training_rows_after: int | None
    data: list[DataChange]
    code: CodeChange
    params: list[InputChange]
    columns: ColumnsChange
    lock_file: InputChange | None
    card: CardChange
    other: list[InputChange]


class _Rows(msgspec.Struct, frozen=True):
    """The one number that is needed of a profile; to read all of it takes packages that are slow to import."""

    rows: int


def changes_since_champion(
    workspace: Workspace, proposal: Proposal, champion: Version, candidate: Version
) -> ChangesSinceChampion:
    """Return what changed between two versions of a model, as far as this clone has it.

    Args:
        workspace: the repository.
        proposal: the promotion; its state before has the champion, that after has both.
        champion: the version that runs.
        candidate: the version that is to run.

    Raises:
        MlgitError: a record that is named cannot be read.
    """
    refs = [VersionRef(version.model, version.version) for version in (champion, candidate)]
    changes = diff.run(proposal.after, *refs).changes
    return ChangesSinceChampion(
        champion=str(refs[0]),
        training_rows_before=_training_rows(proposal.after, champion),
        training_rows_after=_training_rows(proposal.after, candidate),
        data=list(_data(workspace, proposal, champion, candidate)),
        code=_code(workspace, proposal, champion, candidate),
        params=[change for change in changes if change.field.startswith("params")],
        columns=_columns(champion.inputs.columns, candidate.inputs.columns),
        lock_file=next((change for change in changes if change.field == "environment"), None),
        card=_card(workspace, proposal.after, champion, candidate),
        other=[change for change in changes if change.field in _RECORD_FIELDS],
    )


def file_status(letter: str) -> FileStatus:
    """Return what a change does to a file, by the letter that Git has for it."""
    return "added" if letter == "A" else "deleted" if letter == "D" else "changed"


def _data(workspace: Workspace, proposal: Proposal, champion: Version, candidate: Version) -> Iterator[DataChange]:
    before, after = champion.inputs.data, candidate.inputs.data
    ref = (
        None
        if (manifest := proposal.before.promotion(proposal.environment, proposal.model)) is None
        else manifest.gates
    )
    earlier = None if ref is None else proposal.before.find(GateReport, ref.report)
    rows_before, rows_after = _rows_reported(earlier), _rows_reported(proposal.report)
    for name in sorted(before.keys() | after.keys()):
        yield DataChange(
            dataset=name,
            before=before.get(name),
            after=after.get(name),
            rows_before=rows_before.get(name),
            rows_after=rows_after.get(name),
            contract=_contract(workspace, proposal.before, champion, name),
        )


def _rows_reported(report: GateReport | None) -> dict[str, int]:
    """Return the rows of each dataset as the gate `data-contract` counted them for a report."""
    for verdict in report.results if report is not None else ():
        if verdict.gate == "data-contract":
            try:
                return msgspec.convert(verdict.facts.get("rows", {}), type=dict[str, int])
            except msgspec.ValidationError:
                return {}  # no gate wrote this report; verification finds that
    return {}


def _contract(workspace: Workspace, now: Lifecycle, champion: Version, name: str) -> list[InputChange] | None:
    """Return the rules of a contract that changed since the champion was trained; None where they cannot be compared."""
    if workspace.repository.resolve(champion.inputs.commit) is None:
        return None
    then = Lifecycle(workspace.repository.tree(champion.inputs.commit), workspace.formats.record)
    path = layout.dataset(name)
    try:
        records = then.find(Dataset, path), now.find(Dataset, path)
    except MlgitError:  # one of them cannot be read by the rules of this release
        return None
    old, new = ({} if record is None else to_mapping(record) for record in records)
    return [
        InputChange(field=what, before=before, after=after) for what, before, after in brief.differences(old, new, "")
    ]


def _code(workspace: Workspace, proposal: Proposal, champion: Version, candidate: Version) -> CodeChange:
    repository = workspace.repository
    before, after = champion.inputs.commit, candidate.inputs.commit
    code = CodeChange(same=champion.inputs.code == candidate.inputs.code, before=before, after=after)
    missing = [commit[:12] for commit in (before, after) if repository.resolve(commit) is None]
    if missing:
        return msgspec.structs.replace(code, not_compared=f"{' and '.join(missing)} not in this clone")
    reads = _code_paths(workspace, proposal, before, after)
    files = {
        change.path: file_status(change.status)
        for change in repository.changes(before, after)
        if any(change.path == path or change.path.startswith(f"{path}/") for path in reads)
    }
    people = People(proposal.before.roles())
    history = repository.commits(f"{before}..{after}", paths=reads, first_parent=False)
    authors = [people.person(commit.author_email) for commit, _ in history if len(commit.parents) == 1]
    return msgspec.structs.replace(code, files=files, commits=len(authors), authors=sorted(set(authors)))


def _code_paths(workspace: Workspace, proposal: Proposal, *commits: CommitId) -> list[str]:
    """Return the paths of the code that the versions at these commits were made from."""
    paths = [path.rstrip("/") for path in proposal.before.model(proposal.model).reads]
    for commit in commits:
        state = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
        with contextlib.suppress(MlgitError):  # a pipeline that cannot be read has a finding in `validate`
            paths += model_inputs(state, workspace.formats, state.model(proposal.model), has_stages=False).code
    return list(dict.fromkeys(paths))


def _columns(before: list[str], after: list[str]) -> ColumnsChange:
    return ColumnsChange(
        added=[name for name in after if name not in before],
        removed=[name for name in before if name not in after],
        reordered=[name for name in before if name in after] != [name for name in after if name in before],
    )


def _card(workspace: Workspace, state: Lifecycle, champion: Version, candidate: Version) -> CardChange:
    if champion.card == candidate.card:
        return CardChange()
    texts: list[CardText] = []
    for version in (champion, candidate):
        path = layout.card(version.model, version.version)
        try:
            texts.append(workspace.formats.card(path, state.tree.read(path) or b"")[1])
        except MlgitError as error:
            return CardChange(not_compared=f"{path}: {error.findings[0].message}")
    return CardChange(sections=brief.changed_card_sections(*texts))


def _training_rows(state: Lifecycle, version: Version) -> int | None:
    """Return how many rows a version was trained on, by its profile; None where the profile is not the registered one."""
    content = state.tree.read(layout.profile(version.model, version.version)) or b""
    if sha256(content) != version.profile:
        return None
    try:
        return msgspec.json.decode(content, type=_Rows).rows
    except msgspec.MsgspecError:
        return None
