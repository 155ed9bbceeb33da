"""The models, and the holds, signed exceptions and retirements, at the audited commit."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedChange, GovernanceRecord, ModelInventory, RunningVersion
from mlgit.domain.formatting import utc_minute
from mlgit.domain.merge_rules.recertify import approval_age, overdue_finding
from mlgit.domain.records import Hold, Model, Override, Problem, Record, Retirement, StandingApproval
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle

_GOVERNANCE_FOLDERS = ("holds", "overrides", "standing-approvals", "retirements")


def inventory(state: Lifecycle, changes: Iterable[AuditedChange]) -> tuple[list[ModelInventory], list[Finding]]:
    """Return every model, sorted by name, and the problems of records that cannot be read.

    Args:
        state: the state at the audited commit.
        changes: every change, oldest first.
    """
    newest = {(change.model, change.environment): change for change in changes}
    names = state.models()
    numbers = state.numbers_of(names)
    models, model_findings = state.read_each(layout.model(name) for name in names)
    problem_names = [record.problem for record in models.values() if isinstance(record, Model)]
    problems, problem_findings = state.read_each(dict.fromkeys(layout.problem(name) for name in problem_names))
    result = []
    for name in names:
        model = models.get(layout.model(name))
        if not isinstance(model, Model):
            continue
        problem = problems.get(layout.problem(model.problem))
        result.append(
            ModelInventory(
                model=name,
                problem=model.problem,
                owner=problem.owner if isinstance(problem, Problem) else "unknown",
                risk=problem.risk if isinstance(problem, Problem) else "unknown",
                decision=problem.decision.action if isinstance(problem, Problem) else "unknown",
                datasets=list(model.datasets),
                versions=len(numbers[name]),
                newest=max(numbers[name], default=None),
                environments=[
                    RunningVersion(
                        environment=environment,
                        version=last.after,
                        since=last.at,
                        verdict=last.verdict,
                        beside=last.beside,
                    )
                    for (changed_model, environment), last in newest.items()
                    if changed_model == name
                ],
            )
        )
    return result, [*model_findings, *problem_findings]


def governance_records(state: Lifecycle) -> tuple[list[GovernanceRecord], list[Finding]]:
    """Return every hold, override, standing approval and retirement, sorted by path, and the problems of unreadable ones."""
    paths = [
        path for entry in state.tree.entries(_GOVERNANCE_FOLDERS) if layout.parse_path(path := entry.path) is not None
    ]
    records, findings = state.read_each(paths)
    return [item for path, record in records.items() for item in _governance_record(path, record)], findings


def overdue_recertifications(state: Lifecycle, models: Iterable[ModelInventory], at: datetime) -> Iterator[Finding]:
    """Yield a warning for each model whose approvals are older than the policy allows.

    Args:
        state: the state at the audited commit.
        models: the models, and where they are to run.
        at: the time of the newest commit, so that the result does not depend on when the audit is run.
    """
    for model, running in ((item.model, running) for item in models for running in item.environments):
        try:
            policy = state.policy(state.environment(running.environment).policy)
            if policy.recertify is None:  # saves reading the manifest
                continue
            manifest = state.promotion(running.environment, model)
        except MlgitError:  # reported for the commit that added it
            continue
        age = None if manifest is None else approval_age(policy, manifest, at)
        if age is not None and age.state == "overdue":
            yield overdue_finding(running.environment, model, age)


def _governance_record(path: str, record: Record | None) -> Iterator[GovernanceRecord]:
    name = path.partition("/")[2].removesuffix(".yaml")
    if isinstance(record, Hold):
        subject = (
            " ".join(filter(None, (record.environment, record.model, (record.digest or "")[7:19]))) or "everything"
        )
        until = None if record.until is None else utc_minute(record.until)
        yield GovernanceRecord(kind="hold", name=name, subject=subject, by=record.by, reason=record.reason, until=until)
    elif isinstance(record, Override):
        subject = f"{record.environment} {record.model} {record.digest[7:19]}: {', '.join(record.waives)}"
        by, until = " and ".join(record.people), utc_minute(record.until)
        yield GovernanceRecord(kind="override", name=name, subject=subject, by=by, reason=record.incident, until=until)
    elif isinstance(record, StandingApproval):
        limit = record.max_promotions
        promotions = "promotions" if limit is None else f"at most {limit} promotions"
        subject = f"{record.environment} {record.model}: {promotions}"
        by, until = " and ".join(record.people), utc_minute(record.until)
        yield GovernanceRecord(
            kind="standing-approval", name=name, subject=subject, by=by, reason=record.reason, until=until
        )
    elif isinstance(record, Retirement):
        subject, until = f"{record.model}@{record.version}", f"from {record.since}"
        yield GovernanceRecord(
            kind="retirement", name=name, subject=subject, by=record.by, reason=record.reason, until=until
        )
