"""The registry of record kinds. A new kind is a module with its class, and a line in RECORD_KINDS."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from mlgit.domain.records.base import Record


class RecordKind(NamedTuple):
    """A kind of record. The class itself states `kind` (its tag) and who writes it.

    Attributes:
        kind: value of `kind` in the file.
        record: module and name of the class, `module:Class`.
        path: path of the file, with fields of the record in angle brackets. `<int:N>` matches a number, `<path:NAME>`
            folders too; a field named `_` is not in the record.
        on_ledger: whether the file is on the ledger branch.
    """

    kind: str
    record: str
    path: str
    on_ledger: bool = False

    @property
    def class_name(self) -> str:
        """Name of the class."""
        return self.record.partition(":")[2]


_VERSION = "models/<model>/versions/v<int:version>"

RECORD_KINDS: Final = {
    row.kind: row
    for row in (
        RecordKind("project", "project:Project", "mlgit.yaml"),
        RecordKind("problem", "problem:Problem", "problems/<name>.yaml"),
        RecordKind("dataset", "dataset:Dataset", "datasets/<name>/dataset.yaml"),
        RecordKind("model", "model:Model", "models/<name>/model.yaml"),
        RecordKind("version", "version:Version", f"{_VERSION}/version.json"),
        RecordKind("gate-report", "gatereport:GateReport", f"{_VERSION}/gates/<promotion>.json"),
        RecordKind("policy", "policy:Policy", "policies/<name>.yaml"),
        # An environment comes before a promotion, whose path would match its file too.
        RecordKind("environment", "environment:Environment", "environments/<name>/environment.yaml"),
        RecordKind("promotion", "promotion:Promotion", "environments/<environment>/<model>.yaml"),
        RecordKind("roles", "governance:Roles", ".mlgit/roles.yaml"),
        RecordKind("hold", "governance:Hold", "holds/<path:name>.yaml"),
        RecordKind("override", "governance:Override", "overrides/<path:name>.yaml"),
        RecordKind("standing-approval", "governance:StandingApproval", "standing-approvals/<path:name>.yaml"),
        RecordKind("retirement", "governance:Retirement", "retirements/<model>/v<int:version>.yaml"),
        RecordKind("approval", "ledger:Approval", "approvals/<promotion>/<_>.json", on_ledger=True),
        RecordKind("rule-approval", "ledger:RuleApproval", "rule-approvals/<_>/<_>.json", on_ledger=True),
        RecordKind("decision", "ledger:DecisionRecord", "decisions/<promotion>.json", on_ledger=True),
        RecordKind(
            "deployment", "ledger:Deployment", "deployments/<environment>/<model>/<int:seq>.json", on_ledger=True
        ),
        RecordKind("reviews", "ledger:Reviews", "reviews/<promotion>/<int:_>.json", on_ledger=True),
        RecordKind("rule-reviews", "ledger:RuleReviews", "rule-reviews/<_>/<int:_>.json", on_ledger=True),
    )
}
"""All kinds, in the order in which the documentation lists them."""


class _RecordClasses(Mapping[str, "type[Record]"]):
    """The class of each kind, imported when first asked for, so that a command loads only the kinds that it reads."""

    def __init__(self) -> None:
        self._loaded: dict[str, type[Record]] = {}

    def __getitem__(self, kind: str) -> "type[Record]":
        if kind not in self._loaded:
            module, _, name = RECORD_KINDS[kind].record.partition(":")
            self._loaded[kind] = getattr(import_module(f"mlgit.domain.records.{module}"), name)
        return self._loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in RECORD_KINDS

    def __iter__(self) -> Iterator[str]:
        return iter(RECORD_KINDS)

    def __len__(self) -> int:
        return len(RECORD_KINDS)


KINDS: Final[Mapping[str, "type[Record]"]] = _RecordClasses()
"""The class of each kind of record."""
