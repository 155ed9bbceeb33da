"""What changed between the champion and the version that is to take its place: data, code, parameters, columns, card."""

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
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries import diff
from mlgit.ops.queries.diff import InputChange
from mlgit.ops.review.proposals import Proposal

Mark = Literal["+", "~", "-"]
"""What happens to a file: it comes, changes, or goes."""

_OWN = ("seed", "test split", "format", "size", "p95 ms", "trained by")  # of what `diff` compares, as it calls it


class DataChange(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of one version or of both: its content, its rows as the gate reports state them, its contract.

    `contract` is what the contract says otherwise since the champion was trained; None where that commit is not here.
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
    """What influences a version, apart from data: the paths under `reads`, at the two commits that were trained with.

    `commits` and `authors` are of the commits on the way that changed such paths. `unknown` says why they cannot be told.
    """

    same: bool
    before: CommitId
    after: CommitId
    files: dict[str, Mark] = {}
    commits: int = 0
    authors: list[str] = []
    unknown: str | None = None


class ColumnsChange(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that the model takes."""

    added: list[str]
    removed: list[str]
    reordered: bool


class CardChange(msgspec.Struct, frozen=True, kw_only=True):
    """The sections of the card that differ, by heading. `unknown` says why that cannot be told."""

    sections: dict[str, Literal["added", "changed", "removed"]] = {}
    unknown: str | None = None


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """All that changed since the champion; `rows_before` and `rows_after` are those of the tables that were trained on.

    `lock` is the file that pins the packages; None where both have the same. `other` is what else the records say otherwise.
    """

    champion: str
    rows_before: int | None
    rows_after: int | None
    data: list[DataChange]
    code: CodeChange
    params: list[InputChange]
    columns: ColumnsChange
    lock: InputChange | None
    card: CardChange
    other: list[InputChange]


class _Rows(msgspec.Struct, frozen=True):
    """The one number that is wanted of a profile; reading all of it takes packages that cost more than the answer is worth."""

    rows: int


def since(workspace: Workspace, judged: Proposal, champion: Version, candidate: Version) -> Since:
    """Return what changed between two versions of a model, as far as this clone can tell.

    Args:
        workspace: where.
        judged: the promotion; its state before knows the champion, that after both.
        champion: the version that runs.
        candidate: the version that is to run.

    Raises:
        MlgitError: a record that is named cannot be read.
    """
    refs = [VersionRef(one.model, one.version) for one in (champion, candidate)]
    changes = diff.run(judged.after, *refs).changes
    return Since(
        champion=str(refs[0]),
        rows_before=_rows_trained(judged.after, champion),
        rows_after=_rows_trained(judged.after, candidate),
        data=list(_data(workspace, judged, champion, candidate)),
        code=_code(workspace, judged, champion, candidate),
        params=[one for one in changes if one.what.startswith("params")],
        columns=_columns(champion.inputs.columns, candidate.inputs.columns),
        lock=next((one for one in changes if one.what == "environment"), None),
        card=_card(workspace, judged.after, champion, candidate),
        other=[one for one in changes if one.what in _OWN],
    )


def mark(status: str) -> Mark:
    """Return what happens to a file, by what Git says of it."""
    return "+" if status == "A" else "-" if status == "D" else "~"


def _data(workspace: Workspace, judged: Proposal, champion: Version, candidate: Version) -> Iterator[DataChange]:
    before, after = champion.inputs.data, candidate.inputs.data
    ref = None if (manifest := judged.before.promotion(judged.environment, judged.model)) is None else manifest.gates
    earlier = None if ref is None else judged.before.find(GateReport, ref.report)
    rows_before, rows_after = _rows_reported(earlier), _rows_reported(judged.report)
    for name in sorted(before.keys() | after.keys()):
        yield DataChange(
            dataset=name,
            before=before.get(name),
            after=after.get(name),
            rows_before=rows_before.get(name),
            rows_after=rows_after.get(name),
            contract=_contract(workspace, judged.before, champion, name),
        )


def _rows_reported(report: GateReport | None) -> dict[str, int]:
    """Return how many rows the datasets had when a report was made, as the gate on contracts counted them."""
    for verdict in report.results if report is not None else ():
        if verdict.gate == "data-contract":
            try:
                return msgspec.convert(verdict.facts.get("rows", {}), type=dict[str, int])
            except msgspec.ValidationError:
                return {}  # a report that no gate wrote; that it is none is found elsewhere
    return {}


def _contract(workspace: Workspace, now: Lifecycle, champion: Version, name: str) -> list[InputChange] | None:
    """Return how a contract differs from what it was when the champion was trained; None where that cannot be told."""
    if workspace.repository.resolve(champion.inputs.commit) is None:
        return None
    then = Lifecycle(workspace.repository.tree(champion.inputs.commit), workspace.formats.record)
    path = layout.dataset(name)
    try:
        was, is_now = then.find(Dataset, path), now.find(Dataset, path)
    except MlgitError:  # one of them is not readable by today's rules
        return None
    old, new = ({} if one is None else to_mapping(one) for one in (was, is_now))
    return [InputChange(what=what, before=one, after=other) for what, one, other in brief.differing(old, new, "")]


def _code(workspace: Workspace, judged: Proposal, champion: Version, candidate: Version) -> CodeChange:
    repository = workspace.repository
    before, after = champion.inputs.commit, candidate.inputs.commit
    known = CodeChange(same=champion.inputs.code == candidate.inputs.code, before=before, after=after)
    missing = [commit[:12] for commit in (before, after) if repository.resolve(commit) is None]
    if missing:
        return msgspec.structs.replace(known, unknown=f"{' and '.join(missing)} not in this clone")
    reads = [path.rstrip("/") for path in judged.before.model(judged.model).reads]
    files = {
        change.path: mark(change.status)
        for change in repository.changes(before, after)
        if any(change.path == path or change.path.startswith(f"{path}/") for path in reads)
    }
    people = People(judged.before.roles())
    history = repository.commits(f"{before}..{after}", paths=reads, first_parent=False)
    wrote = [people.person(commit.author_email) for commit, _ in history if len(commit.parents) == 1]
    return msgspec.structs.replace(known, files=files, commits=len(wrote), authors=sorted(set(wrote)))


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
            return CardChange(unknown=f"{path}: {error.findings[0].message}")
    return CardChange(sections=brief.card_sections(*texts))


def _rows_trained(state: Lifecycle, version: Version) -> int | None:
    """Return how many rows a version was trained on, by its profile; None where that is not the one that was registered."""
    content = state.tree.read(layout.profile(version.model, version.version)) or b""
    if sha256(content) != version.profile:
        return None
    try:
        return msgspec.json.decode(content, type=_Rows).rows
    except msgspec.MsgspecError:
        return None
