"""Questions that a team brings itself: a command in its repository, or a function in an installed package."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from mlgit.domain.gates.base import Evidence, Gate, GateResult
from mlgit.domain.names import Duration, Line, Name, seconds
from mlgit.domain.records.base import doc
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.version import Version
from mlgit.errors import MlgitError

MOST_ANSWER: Final = 1 << 16
"""Bytes of one answer, as JSON: a gate report keeps it for ever."""
MOST_DEPTH: Final = 16
"""How deep facts may be nested: a reader of reports stops somewhere."""

Settings = Annotated[dict[str, Any], doc("Whatever the gate asks for; handed on as it is.")]


class EvidenceFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Private copies of tables, each verified against its record; Parquet. They are gone once the command has ended."""

    predictions: str
    features: str | None
    champion_predictions: str | None


class EvidenceDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="mlgit/evidence.v1"):
    """What a command of the team's reads on stdin."""

    at: str
    """When is judged, as RFC 3339 writes it."""
    problem: Problem
    model: Model
    candidate: Version
    champion: Version | None
    settings: dict[str, Any]
    files: EvidenceFiles


class _Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    outcome: Literal["pass", "fail", "skip"]
    message: str
    facts: dict[str, Any] = {}
    fix: str = ""


class Exec(Gate, frozen=True, kw_only=True, tag="exec"):
    """A command of the team's own, run in a private checkout of the base commit, answers.

    It gets the evidence as one JSON document on stdin, and answers with `{"outcome": "pass", "message": "..."}` on stdout;
    outcome is pass, fail or skip, and `facts` (a mapping) and `fix` (text) may be there. Whatever else happens is an `error`.
    """

    name: Annotated[Name, doc("What a report calls it: `exec:<name>`.")]
    command: Annotated[tuple[Line, ...], doc("Program and arguments; no shell reads them.", min_length=1)]
    timeout: Annotated[Duration, doc("After how long it is stopped.")] = "5m"
    settings: Settings = {}

    @property
    def id(self) -> str:
        """`exec:<name>`."""
        return f"{self.kind}:{self.name}"

    def judge(self, evidence: Evidence) -> GateResult:
        """Run the command and take its word."""
        said = evidence.run(self.command, self.settings, seconds=seconds(self.timeout))
        if said.answer is None:
            return GateResult("error", said.why)
        return _taken(said.answer, "the command")


class Python(Gate, frozen=True, kw_only=True, tag="python"):
    """A function in an installed package, found by its name among the entry points `mlgit.gates`, answers.

    It is called with the evidence and the settings, and returns a `GateResult`.
    """

    name: Annotated[Name, doc("Name of the entry point; a report calls the gate `python:<name>`.")]
    settings: Settings = {}

    @property
    def id(self) -> str:
        """`python:<name>`."""
        return f"{self.kind}:{self.name}"

    def judge(self, evidence: Evidence) -> GateResult:
        """Call the function and take its word; what it raises is an `error`."""
        function = evidence.installed(self.name)
        try:
            result = function(evidence, dict(self.settings))
        except MlgitError:
            raise
        except Exception as error:  # noqa: BLE001 - other people's code may raise anything
            return GateResult("error", f"{self.name} failed with {type(error).__name__}: {error}")
        if not isinstance(result, GateResult):
            return GateResult("error", f"{self.name} returned {type(result).__name__}, not a GateResult")
        return _taken({key: getattr(result, key) for key in _Answer.__struct_fields__}, self.name)


def _taken(answer: Mapping[str, Any], who: str) -> GateResult:
    """Return an answer from outside as a result; an `error` where it is none."""
    try:
        content = msgspec.json.encode(dict(answer))
        taken = msgspec.json.decode(content, type=_Answer)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        return GateResult("error", f"{who} gave no usable answer: {error}")
    if len(content) > MOST_ANSWER:
        return GateResult("error", f"{who} answered {len(content):,} bytes, {MOST_ANSWER:,} are kept")
    if _depth(taken.facts) > MOST_DEPTH:
        return GateResult("error", f"{who} gave facts that are nested more than {MOST_DEPTH} deep")
    if not taken.message.strip():
        return GateResult("error", f"{who} gave no message")
    return GateResult(taken.outcome, taken.message, taken.facts, taken.fix)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
