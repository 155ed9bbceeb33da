"""What there is at the end of the history: models, where they are to run, and what people decided beside promotions."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedChange, GovernanceRecord, ModelInventory, RunningVersion
from mlgit.domain.formatting import utc_minute
from mlgit.domain.merge_rules.recertify import approval_age, overdue_finding
from mlgit.domain.records import Hold, Model, Override, Problem, Record, Retirement, StandingApproval
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle

_PLACES = ("holds", "overrides", "standing-approvals", "retirements")


def inventory(state: Lifecycle, changes: Iterable[AuditedChange]) -> tuple[list[ModelInventory], list[Finding]]:
    """Return every model, sorted by name, and what of their records cannot be read.

    Args:
        state: the state at the end.
        changes: every change that there was, oldest first.
    """
    newest = {(change.model, change.environment): change for change in changes}
    names = state.models()
    numbers = state.numbers_of(names)
    models, problems = state.read_each(layout.model(name) for name in names)
    stated = [record.problem for record in models.values() if isinstance(record, Model)]
    known, more = state.read_each(dict.fromkeys(layout.problem(name) for name in stated))
    found = []
    for name in names:
        model = models.get(layout.model(name))
        if not isinstance(model, Model):
            continue
        problem = known.get(layout.problem(model.problem))
        found.append(
            ModelInventory(
                model=name,
                problem=model.problem,
                owner=problem.owner if isinstance(problem, Problem) else "unknown",
                risk=problem.risk if isinstance(problem, Problem) else "unknown",
                decision=problem.decision.action if isinstance(problem, Problem) else "unknown",
                datasets=list(model.datasets),
                versions=len(numbers[name]),
                newest=max(numbers[name], default=None),
                runs=[
                    RunningVersion(
                        environment=environment,
                        version=last.after,
                        since=last.at,
                        verdict=last.verdict,
                        beside=last.beside,
                    )
                    for (of, environment), last in newest.items()
                    if of == name
                ],
            )
        )
    return found, [*problems, *more]


def governance_records(state: Lifecycle) -> tuple[list[GovernanceRecord], list[Finding]]:
    """Return every hold, override, standing approval and retirement, sorted by path, and what of them cannot be read."""
    paths = [path for entry in state.tree.entries(_PLACES) if layout.parse_path(path := entry.path) is not None]
    records, problems = state.read_each(paths)
    return [one for path, record in records.items() for one in _standing(path, record)], problems


def overdue_recertifications(state: Lifecycle, models: Iterable[ModelInventory], at: datetime) -> Iterator[Finding]:
    """Yield a warning for each model that runs on approvals that are older at a moment than the policy allows.

    Args:
        state: the state at the end.
        models: where each model is to run.
        at: the moment; that of the newest commit, so that an audit says the same whenever it is run.
    """
    for model, running in ((one.model, running) for one in models for running in one.runs):
        try:
            policy = state.policy(state.environment(running.environment).policy)
            if policy.recertify is None:  # then no manifest has to be read
                continue
            manifest = state.promotion(running.environment, model)
        except MlgitError:  # a finding of the commit that brought it
            continue
        found = None if manifest is None else approval_age(policy, manifest, at)
        if found is not None and found.state == "overdue":
            yield overdue_finding(running.environment, model, found)


def _standing(path: str, record: Record | None) -> Iterator[GovernanceRecord]:
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
