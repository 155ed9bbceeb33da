"""The version that may be promoted next to an environment, before any gate is evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.merge_rules import holds, retirement, soak, standing_approvals
from mlgit.domain.merge_rules.manifest import check_champion_upstream
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Environment, Promotion, Retirement, Version
from mlgit.errors import Finding
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.review.context import deployments_of


def newest_eligible(
    base: Lifecycle,
    ledger: Ledger,
    environment: Environment,
    model: str,
    earlier: Sequence[Promotion],
    at: datetime,
) -> tuple[Version | None, list[Finding]]:
    """Return the newest version that may be promoted, or why each that is newer than the champion may not.

    That a version has not run in an earlier environment is reported for the newest one only, since it is true for most.

    Args:
        base: the state of the base branch.
        ledger: the deployments.
        environment: the environment.
        model: the model.
        earlier: every manifest that the model has had there.
        at: the time.
    """
    champion = base.champion(environment.name, model)
    numbers = [number for number in reversed(base.numbers(model)) if champion is None or number > champion.version]
    deployments = deployments_of(ledger, base, environment, model) if numbers else {}
    excluded: list[Finding] = []
    for number in numbers:
        version = base.version(VersionRef(model, number))
        findings = [
            *_check_decisions(base, environment, version, earlier, at),
            *_check_order(base, environment, version),
        ] or list(_check_soak(environment, version, deployments, at))
        if not findings:
            return version, []
        is_newest = number == numbers[0]
        excluded += [finding for finding in findings if is_newest or finding.id != "environment-skipped"]
    return None, excluded


def _check_decisions(
    base: Lifecycle, environment: Environment, version: Version, earlier: Sequence[Promotion], at: datetime
) -> Iterator[Finding]:
    """A version is neither held nor retired, and was not rolled back there."""
    ref = VersionRef(version.model, version.version)
    yield from holds.check_holds_on_change(
        base.holds(),
        environment=environment.name,
        model=version.model,
        versions={version.digest: str(ref)},
        change="promote",
        at=at,
    )
    record = base.find(Retirement, layout.retirement(version.model, version.version))
    yield from retirement.check_not_retired(version, record, at)
    if standing_approvals.was_rolled_back(version.digest, earlier):
        yield Finding(
            "auto-promotion-not-allowed",
            f"{ref} was rolled back in {environment.name} before",
            why="a version that was rolled back is promoted again only if people approve it",
            fix=f"to propose it again: `mlgit promote {ref} --to {environment.name}`",
        )


def _check_order(base: Lifecycle, environment: Environment, version: Version) -> Iterator[Finding]:
    """A version is the champion of each earlier environment."""
    for name in environment.after:
        yield from check_champion_upstream(version, environment.name, name, base.champion(name, version.model))


def _check_soak(
    environment: Environment, version: Version, deployments: Mapping[str, Sequence[Deployment]], at: datetime
) -> Iterator[Finding]:
    """A version was deployed in the earlier environments, for as long as the soak requires."""
    yield from soak.check_verified_upstream(version, environment, deployments, at)
    yield from soak.check_soak_time(version, environment, deployments, at)
