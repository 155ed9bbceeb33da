"""Are the candidate's files available, safe and current, and compatible with the champion's?"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, get_args

from mlgit.domain import layout
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.formatting import utc_time, utc_timestamp
from mlgit.domain.gates.base import (
    Evidence,
    Gate,
    GateResult,
    failed,
    first_and_count,
    from_findings,
    passed,
    skipped,
)
from mlgit.domain.names import Duration, seconds
from mlgit.domain.records.base import describe
from mlgit.domain.records.version import ModelFormat
from mlgit.domain.results import InputColumn
from mlgit.domain.rules.versions import check_model_file

MODEL_FORMATS: tuple[ModelFormat, ...] = get_args(ModelFormat)


class InRemote(Gate, frozen=True, kw_only=True, tag="stored"):
    """Model file, predictions, features and data of the candidate are in the DVC remote, where others can fetch them.

    The remote is asked for each by its md5 and size. `integrity` checks that the content is what was recorded.
    """

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if none is missing."""
        missing = evidence.missing_files()
        if missing:
            message = f"not in the remote: {first_and_count(missing)}"
            fix = "where the version was registered, run `mlgit upload`"
            return GateResult("fail", message, {"missing": list(missing[:20])}, fix)
        return passed("model file, predictions, features and data are in the remote")


class ModelSafe(Gate, frozen=True, kw_only=True, tag="model-safe"):
    """The model file has a format that executes no code when loaded, and contains only types that the project trusts.

    The file is inspected, never loaded. A version cannot be a pickle: `mlgit register` refuses it too. Every policy has this
    gate, whether it is listed or not, and no override waives it; listing it can only narrow the formats.
    """

    formats: Annotated[tuple[ModelFormat, ...], describe("Formats that are accepted.", min_length=1)] = MODEL_FORMATS

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if content, format and types are as recorded, and accepted."""
        inspected = evidence.inspect_model_file()
        if inspected.findings:
            return from_findings(inspected.findings, "")
        if mismatches := list(check_model_file(evidence.candidate, inspected)):
            return from_findings(mismatches, "")
        facts = {"format": inspected.format, "types": inspected.types}
        if inspected.format not in self.formats:
            return failed(f"its format is {inspected.format}; accepted are {', '.join(self.formats)}", **facts)
        types = f", with {len(inspected.types)} types that the project trusts" if inspected.types else ""
        return passed(f"{inspected.format}{types}", **facts)


class EvaluationFresh(Gate, frozen=True, kw_only=True, tag="evaluation-fresh"):
    """The candidate was evaluated and registered no longer than `max_age` ago."""

    max_age: Annotated[Duration, describe("Maximum time since registration.")]

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the recorded time is within `max_age` before the evaluation, and not after it."""
        registered_at = evidence.candidate.registered_at
        age = evidence.at - registered_at
        facts = {"registered_at": utc_timestamp(registered_at), "days": age.total_seconds() / 86_400}
        if age < -CLOCK_TOLERANCE:
            return failed(f"registered at {utc_time(registered_at)}, which is in the future", **facts)
        message = f"registered {max(age, timedelta()).total_seconds() / 86_400:.1f} days ago, {self.max_age} allowed"
        if age > timedelta(seconds=seconds(self.max_age)):
            return GateResult("fail", message, facts, f"run `mlgit train {evidence.model.name}` and register again")
        return passed(message, **facts)


class SignatureCompatible(Gate, frozen=True, kw_only=True, tag="signature-compatible"):
    """Requests to the champion work for the candidate: no input column is removed, changed or newly required.

    The columns are those of the records. The profiles of the training tables say whether a column has numbers, times or
    categories, and whether the version was trained on rows without a value in it.
    """

    allow_added: Annotated[bool, describe("Whether the candidate may take columns that the champion does not.")] = False

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if each of the champion's columns is the same for the candidate, and none is added unless allowed."""
        champion = evidence.champion
        if champion is None:
            return skipped("no champion in this environment yet")
        if champion.digest == evidence.candidate.digest:
            return skipped("the candidate is the champion")
        old, new = evidence.input_columns(champion), evidence.input_columns(evidence.candidate)
        for version, columns in ((champion, old), (evidence.candidate, new)):
            if not columns:
                return GateResult("error", f"the record of {version.model}@{version.version} names no input columns")
        added = [name for name in new if name not in old]
        broken = [*_incompatible(old, new), *(f"{name} is added" for name in added if not self.allow_added)]
        facts = {"columns": len(new), "added": added, "broken": broken}
        if broken:
            return failed(f"against {champion.model}@{champion.version}: {first_and_count(broken)}", **facts)
        suffix = f", and {len(added)} added" if added else ""
        return passed(f"{len(old)} columns as {champion.model}@{champion.version} takes them{suffix}", **facts)


class EnvironmentLocked(Gate, frozen=True, kw_only=True, tag="environment-locked"):
    """The packages that the candidate was trained with are pinned by a file in the training commit."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the model's lock file at that commit has the recorded digest."""
        recorded = evidence.candidate.inputs.lock
        commit = evidence.candidate.inputs.commit
        fix = f"name the file under `lock` in {layout.model(evidence.model.name)}, commit it, and register again"
        if recorded is None:
            return GateResult("fail", "the record names no file that pins the packages", fix=fix)
        actual = evidence.lock_digest()
        facts = {"recorded": recorded, "actual": actual}
        if actual is None:
            return GateResult("fail", f"commit {commit[:12]} has no file that pins the packages", facts, fix)
        if actual != recorded:
            return GateResult("fail", f"the file at commit {commit[:12]} is not the one that is recorded", facts, fix)
        return passed(f"pinned by a file of commit {commit[:12]}", **facts)


def _incompatible(old: Mapping[str, InputColumn], new: Mapping[str, InputColumn]) -> list[str]:
    problems = []
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            problems.append(f"{name} is removed")
        elif before.type != after.type:
            problems.append(f"{name} changed from {before.type or 'not profiled'} to {after.type or 'not profiled'}")
        elif after.required and not before.required:
            problems.append(f"{name} was optional in training, and is now required")
    return problems
