"""Which version may come into an environment next, before anything is judged."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.merge_rules import holds, retirement, soak, standing
from mlgit.domain.merge_rules.manifest import check_earlier
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Environment, Promotion, Retirement, Version
from mlgit.errors import Finding
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.context import deployments_of


def newest_candidate(
    workspace: Workspace,
    base: Lifecycle,
    environment: Environment,
    model: str,
    past: Sequence[Promotion],
    at: datetime,
) -> tuple[Version | None, list[Finding]]:
    """Return the newest version that may come in, or what keeps out each that is newer than the champion.

    That a version has not come to an earlier environment yet is said of the newest alone: it is so of most.

    Args:
        workspace: where.
        base: the state of the base branch.
        environment: the environment.
        model: the model.
        past: every manifest that the model had there.
        at: the moment.
    """
    champion = base.champion(environment.name, model)
    numbers = [one for one in reversed(base.numbers(model)) if champion is None or one > champion.version]
    seen = deployments_of(snapshot.ledger_of(workspace), base, environment, model) if numbers else {}
    kept: list[Finding] = []
    for number in numbers:
        version = base.version(VersionRef(model, number))
        against = [
            *_kept_out(base, environment, version, past, at),
            *_skipped(base, environment, version),
        ] or list(_unsoaked(environment, version, seen, at))
        if not against:
            return version, []
        kept += [one for one in against if number == numbers[0] or one.id != "environment-skipped"]
    return None, kept


def _kept_out(
    base: Lifecycle, environment: Environment, version: Version, past: Sequence[Promotion], at: datetime
) -> Iterator[Finding]:
    """Yield what people decided against a version: a hold, its end, a way back."""
    ref = VersionRef(version.model, version.version)
    yield from holds.check_change(
        base.holds(),
        environment=environment.name,
        model=version.model,
        versions={version.digest: str(ref)},
        change="promote",
        at=at,
    )
    ended = base.find(Retirement, layout.retirement(version.model, version.version))
    yield from retirement.check_ended(version, ended, at)
    if standing.was_rolled_back(version.digest, past):
        yield Finding(
            "standing-unfit",
            f"{ref} was rolled back in {environment.name} before",
            why="what people took out comes back only if people say so",
            fix=f"if it is good after all, `mlgit promote {ref} --to {environment.name}`",
        )


def _skipped(base: Lifecycle, environment: Environment, version: Version) -> Iterator[Finding]:
    for earlier in environment.after:
        yield from check_earlier(version, environment.name, earlier, base.champion(earlier, version.model))


def _unsoaked(
    environment: Environment, version: Version, seen: Mapping[str, Sequence[Deployment]], at: datetime
) -> Iterator[Finding]:
    yield from soak.check_seen(version, environment, seen, at)
    yield from soak.check_soaked(version, environment, seen, at)
