"""Is everything there that the candidate is made of, and does it fit what is there already?"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time, utc_timestamp
from mlgit.domain.gates.base import Evidence, Gate, GateResult, InputColumn, failed, from_findings, passed, skipped
from mlgit.domain.names import Duration, seconds
from mlgit.domain.records.base import doc
from mlgit.domain.records.version import Format

_TWO_CLOCKS = timedelta(minutes=5)  # by how much the clocks of two machines may differ
FORMATS: tuple[Format, ...] = ("skops", "onnx", "xgboost", "lightgbm", "safetensors")


class InRemote(Gate, frozen=True, kw_only=True, tag="stored"):
    """Model file, predictions, features and data of the candidate are in the DVC remote, where others can fetch them.

    The remote is asked for each by its md5 and size. That the content is what was recorded is for `integrity` to say.
    """

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when none is missing."""
        missing = evidence.missing()
        if missing:
            more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            fix = "where the version was trained, run `dvc push`"
            return GateResult("fail", f"not in the remote: {missing[0]}{more}", {"missing": list(missing[:20])}, fix)
        return passed("model file, predictions, features and data are in the remote")


class ModelSafe(Gate, frozen=True, kw_only=True, tag="model-safe"):
    """The model file is of a format that runs nothing when it is loaded, and holds only types that the project trusts.

    The file is looked into, never loaded. A pickle is no format that a version can have: `mlgit register` refuses it too.
    """

    formats: Annotated[tuple[Format, ...], doc("Formats that are accepted.", min_length=1)] = FORMATS

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when content, format and types are as recorded, and accepted."""
        found = evidence.model_file()
        if found.findings:
            return from_findings(found.findings, "")
        stated = evidence.candidate.artifact
        facts = {"format": found.format, "types": list(found.types)}
        if found.format != stated.format:
            return failed(f"its content is {found.format}, and {stated.format} is recorded", **facts)
        if found.format not in self.formats:
            return failed(f"its format is {found.format}; accepted are {', '.join(self.formats)}", **facts)
        if sorted(found.types) != sorted(stated.types):
            return failed("it holds other types than those recorded", **facts, recorded=list(stated.types))
        types = f", with {len(found.types)} types that the project trusts" if found.types else ""
        return passed(f"{found.format}{types}", **facts)


class EvaluationFresh(Gate, frozen=True, kw_only=True, tag="evaluation-fresh"):
    """The candidate was evaluated and registered no longer than `max_age` ago."""

    max_age: Annotated[Duration, doc("How long ago at most.")]

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when the time that the record states is within `max_age` before the judgement, and not after it."""
        since = evidence.candidate.registered_at
        age = evidence.at - since
        facts = {"registered_at": utc_timestamp(since), "days": age.total_seconds() / 86_400}
        if age < -_TWO_CLOCKS:
            return failed(f"registered at {utc_time(since)}, which has not come yet", **facts)
        message = f"registered {max(age, timedelta()).total_seconds() / 86_400:.1f} days ago, {self.max_age} allowed"
        if age > timedelta(seconds=seconds(self.max_age)):
            return GateResult("fail", message, facts, f"run `mlgit train {evidence.model.name}` and register again")
        return passed(message, **facts)


class SignatureCompatible(Gate, frozen=True, kw_only=True, tag="signature-compatible"):
    """Whoever asks the champion can ask the candidate in the same way: no input column is gone, changed or newly required.

    The columns are those of the records; whether one holds numbers, times or texts, and whether the version was trained on
    rows that lack it, is what the profiles of the training tables say.
    """

    allow_added: Annotated[bool, doc("Whether the candidate may take columns that the champion does not.")] = False

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when each of the champion's columns is the same for the candidate, and none is new unless allowed."""
        champion = evidence.champion
        if champion is None:
            return skipped("no champion in this environment yet")
        if champion.digest == evidence.candidate.digest:
            return skipped("the candidate is the champion")
        before, after = evidence.inputs(champion), evidence.inputs(evidence.candidate)
        for version, columns in ((champion, before), (evidence.candidate, after)):
            if not columns:
                return GateResult("error", f"the record of {version.model}@{version.version} names no input columns")
        added = [name for name in after if name not in before]
        broken = [*_broken(before, after), *(f"{name} is new" for name in added if not self.allow_added)]
        facts = {"columns": len(after), "added": added, "broken": broken}
        if broken:
            more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
            return failed(f"against {champion.model}@{champion.version}: {broken[0]}{more}", **facts)
        also = f", and {len(added)} new" if added else ""
        return passed(f"{len(before)} columns as {champion.model}@{champion.version} takes them{also}", **facts)


class EnvironmentLocked(Gate, frozen=True, kw_only=True, tag="environment-locked"):
    """The packages that the candidate was trained with are pinned by a file that is in the commit that it was trained from."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when the file that the model names there has the digest that the record states."""
        recorded = evidence.candidate.inputs.environment
        commit = evidence.candidate.inputs.commit
        fix = f"name the file under `lock` in {layout.model(evidence.model.name)}, commit it, and register again"
        if recorded is None:
            return GateResult("fail", "the record names no file that pins the packages", fix=fix)
        found = evidence.lock()
        facts = {"recorded": recorded, "found": found}
        if found is None:
            return GateResult("fail", f"commit {commit[:12]} has no file that pins the packages", facts, fix)
        if found != recorded:
            return GateResult("fail", f"the file at commit {commit[:12]} is not the one that is recorded", facts, fix)
        return passed(f"pinned by a file of commit {commit[:12]}", **facts)


def _broken(before: Mapping[str, InputColumn], after: Mapping[str, InputColumn]) -> list[str]:
    broken = []
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            broken.append(f"{name} is gone")
        elif was.type != now.type:
            broken.append(f"{name} was {was.type or 'not profiled'} and is {now.type or 'not profiled'}")
        elif now.required and not was.required:
            broken.append(f"{name} was trained on rows without a value, and now on none")
    return broken
