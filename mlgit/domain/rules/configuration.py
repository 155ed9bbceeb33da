"""Rules for the records that people write: problems, models, environments, policies, roles and the project."""

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.gates.files import ModelSafe
from mlgit.domain.gates.metrics import BeatsChampion, check_test
from mlgit.domain.metrics import METRICS
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.governance import Roles
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.project import Project
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.rules.settings import check_settings
from mlgit.domain.zones import check_zones
from mlgit.errors import Finding, Location


def check_problem(problem: Problem) -> Iterator[Finding]:
    """Check that mlgit can compute the metric for this kind of target, and that its direction is right."""
    file = layout.problem(problem.name)
    name = problem.metric.primary
    facts = METRICS.get(name)
    if facts is None:
        yield _unknown_metric(name, file, "metric.primary")
    elif problem.target.type not in facts.tasks:
        yield Finding(
            "metric-target-mismatch",
            f"{name} does not fit a {problem.target.type} target",
            why=f"it is for {' and '.join(facts.tasks)}",
            fix=f"use one of {', '.join(sorted(n for n, f in METRICS.items() if problem.target.type in f.tasks))}",
            at=Location(file, path="metric.primary"),
        )
    elif problem.metric.direction != facts.direction:
        yield Finding(
            "metric-direction-mismatch",
            f"{name} is better when it is {'larger' if facts.direction == 'max' else 'smaller'}",
            why=f"the problem has `direction: {problem.metric.direction}`",
            fix=f"set metric.direction to {facts.direction}",
            at=Location(file, path="metric.direction"),
        )
    if problem.target.type == "binary" and problem.target.positive is None:
        yield Finding(
            "positive-label-missing",
            f"problem {problem.name} does not state the positive label",
            fix="add `target.positive`, the label that a high score means, for example `positive: true`",
            at=Location(file, path="target"),
        )


def check_model(model: Model, problems: Collection[str], datasets: Collection[str]) -> Iterator[Finding]:
    """Check that the problem and the datasets of a model exist, and that its name is not reserved."""
    file = layout.model(model.name)
    if model.name == "environment":
        yield Finding(
            "name-reserved",
            "a model cannot be called environment",
            why="its manifest would be environments/<environment>/environment.yaml, which describes the environment",
            fix="choose another name",
            at=Location(file, path="name"),
        )
    if model.problem not in problems:
        yield unknown_finding("problem-unknown", model.problem, Location(file, path="problem"), problems)
    for name in model.datasets:
        if name not in datasets:
            yield unknown_finding("dataset-unknown", name, Location(file, path="datasets"), datasets)


def check_environment(environment: Environment, project: Project, policies: Collection[str]) -> Iterator[Finding]:
    """Check that the policy and the soak environment exist, and that `after` follows the order of the project."""
    file = layout.environment(environment.name)
    if environment.policy not in policies:
        yield unknown_finding("policy-unknown", environment.policy, Location(file, path="policy"), policies)
    order = project.environments
    if environment.soak is not None and environment.soak.in_ not in order:
        yield unknown_finding("environment-unknown", environment.soak.in_, Location(file, path="soak.in"), order)
    yield from check_zones(environment)
    earlier = order[: order.index(environment.name)] if environment.name in order else order
    for name in environment.after:
        if name not in earlier:
            yield Finding(
                "environment-order-invalid",
                f"{environment.name} comes after {name}, which is not before it in the project",
                why=f"{layout.PROJECT} has the order {', '.join(order)}",
                fix="change the order there, or `after` here",
                at=Location(file, path="after"),
            )


def check_project(project: Project, environments: Collection[str]) -> Iterator[Finding]:
    """Check that the project lists every environment exactly once."""
    for index, name in enumerate(project.environments):
        if name in project.environments[:index]:
            yield Finding(
                "environment-duplicate",
                f"the project lists environment {name} twice",
                fix=f"delete one of them from `environments` in {layout.PROJECT}",
                at=Location(layout.PROJECT, path=f"environments[{index}]"),
            )
        elif name not in environments:
            yield unknown_finding(
                "environment-unknown", name, Location(layout.PROJECT, path="environments"), environments
            )
    for name in sorted(set(environments) - set(project.environments)):
        yield Finding(
            "environment-unlisted",
            f"the project does not list environment {name}",
            fix=f"add it to `environments` in {layout.PROJECT}",
            at=Location(layout.environment(name)),
        )


def check_timestamps(project: Project, policy: Policy) -> Iterator[Finding]:
    """Check that a policy that requires timestamps has an authority that gives them."""
    if policy.timestamps and project.timestamps is None:
        yield Finding(
            "timestamp-authority-missing",
            f"policy {policy.name} requires timestamps, and the project names no authority",
            why="nothing could be approved or applied",
            fix=f"add timestamps: {{url: ...}} to {layout.PROJECT}, and the authority's root certificate",
            at=Location(layout.policy(policy.name), path="timestamps"),
        )


def check_roles(roles: Roles) -> Iterator[Finding]:
    """Check that no two people have the same address or login: it could not be assigned to one of them."""
    addresses: dict[str, str] = {}
    logins: dict[str, str] = {}
    for name, person in roles.people.items():
        for index, email in enumerate(person.emails):
            other = addresses.setdefault(email.casefold(), name)
            if other != name:
                yield Finding(
                    "email-duplicate",
                    f"{email} is an address of both {other} and {name}",
                    why="people are identified by the addresses in commits and approvals",
                    fix="remove it from one of them; if they are one person, merge the entries",
                    at=Location(layout.ROLES, path=f"people.{name}.emails[{index}]"),
                )
        for index, login in enumerate(person.logins):
            other = logins.setdefault(login.casefold(), name)
            if other != name:
                yield Finding(
                    "login-duplicate",
                    f"{login} is a login of both {other} and {name}",
                    why="people are identified by their logins in reviews, regardless of case",
                    fix="remove it from one of them; if they are one person, merge the entries",
                    at=Location(layout.ROLES, path=f"people.{name}.logins[{index}]"),
                )


def check_policy(policy: Policy, primary: Collection[str] = ()) -> Iterator[Finding]:
    """Check that gates are unique, that one of them blocks, and that their metrics exist and can have the limits stated.

    Args:
        policy: the policy.
        primary: the primary metrics of the project's problems, for gates that name no metric.
    """
    file = layout.policy(policy.name)
    for index, gate in enumerate(policy.gates):
        if gate in policy.gates[:index]:
            yield Finding(
                "gate-duplicate",
                f"policy {policy.name} lists gate {gate.id} twice with the same settings",
                fix="delete one of them",
                at=Location(file, path=f"gates[{index}]"),
            )
        elif gate.id != gate.kind and gate.id in {other.id for other in policy.gates[:index]}:
            yield Finding(
                "gate-duplicate",
                f"policy {policy.name} has two gates with the id {gate.id}",
                fix="give one of them another name",
                at=Location(file, path=f"gates[{index}].name"),
            )
        if isinstance(gate, ModelSafe) and (gate.severity == "warn" or gate.when is not None):
            yield Finding(
                "gate-not-optional",
                f"policy {policy.name} lists model-safe as if it did not always block",
                why="it belongs to every policy: a file that runs code when it is loaded is refused whatever the risk",
                fix="remove `severity` and `when` from it, or do not list it",
                at=Location(file, path=f"gates[{index}]"),
            )
        metric: str | None = getattr(gate, "metric", None)
        if metric is not None and metric not in METRICS:
            yield _unknown_metric(metric, file, f"gates[{index}].metric")
        yield from check_settings(gate, Location(file, path=f"gates[{index}]"), primary)
        unsuitable = check_test(gate.test, metric) if isinstance(gate, BeatsChampion) and metric else None
        if unsuitable is not None:
            yield replace(unsuitable, at=Location(file, path=f"gates[{index}].test"))
    if all(gate.severity == "warn" for gate in policy.gates):
        yield Finding(
            "blocking-gate-missing",
            f"no gate of policy {policy.name} blocks a version",
            why="all have `severity: warn`",
            fix="remove `severity: warn` from the gates that should block",
            at=Location(file, path="gates"),
        )


def check_enforced(policy: Policy, manifest: Promotion | None = None) -> Iterator[Finding]:
    """Check that no setting is used that this mlgit can read but does not enforce: it would only look like protection."""
    unsupported: list[tuple[bool, str, str]] = []
    if manifest is not None:
        file = layout.promotion(manifest.environment, manifest.model)
        unsupported += [
            (manifest.change not in {"promote", "rollback", "recertify"}, f"change: {manifest.change}", file),
            (manifest.ramp is not None and bool(manifest.ramp.gates), "ramp.gates", file),
        ]
    for is_used, setting, file in unsupported:
        if is_used:
            yield Finding(
                "setting-unsupported",
                f"this version of mlgit does not enforce `{setting}`",
                why="a rule that is configured but ignored would give false confidence",
                fix="remove it, or use a version of mlgit that enforces it",
                at=Location(file),
            )
    if policy.evidence == "none" and any(
        rule is not None and (rule.min or rule.roles)
        for rule in (
            policy.approvals.promote,
            policy.approvals.rollback,
            policy.approvals.ramp,
            policy.approvals.retire,
            policy.approvals.recertify,
        )
    ):
        yield Finding(
            "approvals-unsatisfiable",
            f"policy {policy.name} requires approvals, but accepts none",
            why="with `evidence: none` no approval counts",
            fix="set `evidence: signed`, or the approvals to `promote: {min: 0}`",
            at=Location(layout.policy(policy.name), path="evidence"),
        )


def unknown_finding(id: str, name: str, at: Location, existing: Iterable[str]) -> Finding:  # noqa: A002
    """Return the finding of a record that names something that does not exist.

    Args:
        id: id of the finding, `KIND-unknown`.
        name: the name in the record.
        at: place in the record.
        existing: the names that exist.
    """
    noun = id.removesuffix("-unknown")
    listed = ", ".join(sorted(existing)[:6]) or "none"
    return Finding(
        id,
        f"{noun} {name} does not exist",
        why=f"these exist: {listed}",
        fix=f"use one of these, or draft it with `mlgit new {noun} {name}`",
        at=at,
    )


def _unknown_metric(name: str, file: str, path: str) -> Finding:
    return Finding(
        "metric-unknown",
        f"mlgit does not compute the metric {name}",
        why=f"it computes {', '.join(sorted(METRICS))}",
        fix="use one of these",
        at=Location(file, path=path),
    )
