"""A team's own gates: a command in its repository, or a function in an installed package."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

from mlgit.domain.gates.base import Evidence, Gate, GateResult
from mlgit.domain.names import Duration, Line, Name, seconds
from mlgit.domain.records.base import describe
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.version import Version
from mlgit.errors import MlgitError

MAX_ANSWER_BYTES: Final = 1 << 16
"""Maximum size of an answer as JSON: gate reports are kept forever."""
MAX_FACTS_DEPTH: Final = 16
"""Maximum nesting of facts, so that every reader of reports can follow."""

GateSettings = Annotated[dict[str, Any], describe("Settings of the gate itself, passed on unchanged.")]


class EvidenceFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of private copies of tables, each verified against its record (Parquet). Removed when the command ends."""

    predictions: str
    features: str | None
    champion_predictions: str | None


class EvidenceDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="mlgit/evidence.v1"):
    """The document that a team's own command reads from stdin."""

    at: str
    """Time of the evaluation (RFC 3339)."""
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
    """A command of the team, run in a private checkout of the base commit, returns the outcome.

    It reads the evidence as one JSON document from stdin, and writes `{"outcome": "pass", "message": "..."}` to stdout.
    The outcome is pass, fail or skip; `facts` (a mapping) and `fix` (text) are optional. Anything else is an `error`.
    """

    runs_code: ClassVar[bool] = True

    name: Annotated[Name, describe("Name of the gate; reports call it `exec:<name>`.")]
    command: Annotated[tuple[Line, ...], describe("Program and arguments, run without a shell.", min_length=1)]
    timeout: Annotated[Duration, describe("Time after which it is stopped.")] = "5m"
    settings: GateSettings = {}

    @property
    def id(self) -> str:
        """`exec:<name>`."""
        return f"{self.kind}:{self.name}"

    def judge(self, evidence: Evidence) -> GateResult:
        """Run the command and return its answer."""
        ran = evidence.run_command(self.command, self.settings, seconds=seconds(self.timeout))
        if ran.answer is None:
            return GateResult("error", ran.error)
        return _result(ran.answer, "the command")


class Python(Gate, frozen=True, kw_only=True, tag="python"):
    """A function of an installed package, found by its name among the entry points `mlgit.gates`, returns the outcome.

    It is called with the evidence and the settings, and returns a `GateResult`.
    """

    runs_code: ClassVar[bool] = True

    name: Annotated[Name, describe("Name of the entry point; reports call the gate `python:<name>`.")]
    settings: GateSettings = {}

    @property
    def id(self) -> str:
        """`python:<name>`."""
        return f"{self.kind}:{self.name}"

    def judge(self, evidence: Evidence) -> GateResult:
        """Call the function and return its result; an exception is an `error`."""
        function = evidence.installed_gate(self.name)
        try:
            result = function(evidence, dict(self.settings))
        except MlgitError:
            raise
        except Exception as error:  # noqa: BLE001 - other people's code may raise anything
            return GateResult("error", f"{self.name} failed with {type(error).__name__}: {error}")
        if not isinstance(result, GateResult):
            return GateResult("error", f"{self.name} returned {type(result).__name__}, not a GateResult")
        return _result({key: getattr(result, key) for key in _Answer.__struct_fields__}, self.name)


def _result(answer: Mapping[str, Any], source: str) -> GateResult:
    """Return an answer from outside as a result; an invalid one as an `error`."""
    try:
        content = msgspec.json.encode(dict(answer))
        parsed = msgspec.json.decode(content, type=_Answer)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        return GateResult("error", f"{source} gave no valid answer: {error}")
    if len(content) > MAX_ANSWER_BYTES:
        return GateResult("error", f"{source} answered {len(content):,} bytes, at most {MAX_ANSWER_BYTES:,} allowed")
    if _depth(parsed.facts) > MAX_FACTS_DEPTH:
        return GateResult("error", f"{source} gave facts that are nested more than {MAX_FACTS_DEPTH} deep")
    if not parsed.message.strip():
        return GateResult("error", f"{source} gave no message")
    return GateResult(parsed.outcome, parsed.message, parsed.facts, parsed.fix)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
