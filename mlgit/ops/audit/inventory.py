"""What there is at the end of the history: models, where they are to run, and what people decided beside promotions."""

from collections.abc import Iterable, Iterator

from mlgit.domain import layout
from mlgit.domain.audit.records import Change, Inventory, Running, Standing
from mlgit.domain.records import Hold, Model, Override, Problem, Record, Retirement
from mlgit.errors import Finding
from mlgit.ops.load import Lifecycle

_PLACES = ("holds", "overrides", "retirements")


def inventory(state: Lifecycle, changes: Iterable[Change]) -> tuple[list[Inventory], list[Finding]]:
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
            Inventory(
                model=name,
                problem=model.problem,
                owner=problem.owner if isinstance(problem, Problem) else "unknown",
                risk=problem.risk if isinstance(problem, Problem) else "unknown",
                decision=problem.decision.what if isinstance(problem, Problem) else "unknown",
                datasets=list(model.datasets),
                versions=len(numbers[name]),
                newest=max(numbers[name], default=None),
                runs=[
                    Running(environment=environment, version=last.after, since=last.at, verdict=last.verdict)
                    for (of, environment), last in newest.items()
                    if of == name
                ],
            )
        )
    return found, [*problems, *more]


def standing(state: Lifecycle) -> tuple[list[Standing], list[Finding]]:
    """Return every hold, override and retirement, sorted by path, and what of them cannot be read."""
    paths = [path for entry in state.tree.entries(_PLACES) if layout.place(path := entry.path) is not None]
    records, problems = state.read_each(paths)
    return [one for path, record in records.items() for one in _standing(path, record)], problems


def _standing(path: str, record: Record | None) -> Iterator[Standing]:
    name = path.partition("/")[2].removesuffix(".yaml")
    if isinstance(record, Hold):
        subject = (
            " ".join(filter(None, (record.environment, record.model, (record.digest or "")[7:19]))) or "everything"
        )
        until = None if record.until is None else f"{record.until:%Y-%m-%d %H:%M}"
        yield Standing(kind="hold", name=name, subject=subject, by=record.by, reason=record.reason, until=until)
    elif isinstance(record, Override):
        subject = f"{record.environment} {record.model} {record.digest[7:19]}: {', '.join(record.waives)}"
        by, until = " and ".join(record.people), f"{record.expires:%Y-%m-%d %H:%M}"
        yield Standing(kind="override", name=name, subject=subject, by=by, reason=record.incident, until=until)
    elif isinstance(record, Retirement):
        subject, until = f"{record.model}@{record.version}", f"from {record.on}"
        yield Standing(kind="retirement", name=name, subject=subject, by=record.by, reason=record.reason, until=until)
