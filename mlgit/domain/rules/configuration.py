"""What must hold of the records that people write, each by itself and with those that it names."""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.gates.metrics import BeatsChampion, check_test
from mlgit.domain.metrics import METRICS
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.governance import Roles
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.project import Project
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.zones import check_zones
from mlgit.errors import Finding, Location


def check_problem(problem: Problem) -> Iterator[Finding]:
    """The metric is one that mlgit can compute for this kind of target, in the right direction."""
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
            why=f"the problem says direction: {problem.metric.direction}",
            fix=f"set metric.direction to {facts.direction}",
            at=Location(file, path="metric.direction"),
        )
    if problem.target.type == "binary" and problem.target.positive is None:
        yield Finding(
            "positive-label-missing",
            f"problem {problem.name} does not say which label a high score speaks for",
            fix="add target.positive, for example `positive: true`",
            at=Location(file, path="target"),
        )


def check_model(model: Model, problems: Collection[str], datasets: Collection[str]) -> Iterator[Finding]:
    """The problem and the datasets that a model names are there, and no environment file can be taken for it."""
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
    """The policy is there, as is where to soak; what must come first comes first in the project's order."""
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
                f"{environment.name} is to come after {name}, which is not before it",
                why=f"{layout.PROJECT} has the order {', '.join(order)}",
                fix="change the order there, or `after` here",
                at=Location(file, path="after"),
            )


def check_project(project: Project, environments: Collection[str]) -> Iterator[Finding]:
    """Each environment of the order is in it once and described, and each that is described is in the order."""
    for index, name in enumerate(project.environments):
        if name in project.environments[:index]:
            yield Finding(
                "environment-duplicate",
                f"environment {name} is in the order of the project twice",
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
            f"environment {name} is not in the order of the project",
            fix=f"add it to `environments` in {layout.PROJECT}",
            at=Location(layout.environment(name)),
        )


def check_roles(roles: Roles) -> Iterator[Finding]:
    """No address and no login is two people's: whoever has it would count as either."""
    addresses: dict[str, str] = {}
    logins: dict[str, str] = {}
    for name, person in roles.people.items():
        for index, email in enumerate(person.emails):
            other = addresses.setdefault(email.casefold(), name)
            if other != name:
                yield Finding(
                    "email-duplicate",
                    f"{email} is an address of both {other} and {name}",
                    why="commits and approvals tell people by their addresses, and each has to lead to one of them",
                    fix="leave it with one of them; what is one person is one entry, with all addresses and roles",
                    at=Location(layout.ROLES, path=f"people.{name}.emails[{index}]"),
                )
        for index, login in enumerate(person.logins):
            other = logins.setdefault(login.casefold(), name)
            if other != name:
                yield Finding(
                    "login-duplicate",
                    f"{login} is a login of both {other} and {name}",
                    why="reviews tell people by their logins, in whatever case, and each has to lead to one of them",
                    fix="leave it with one of them; what is one person is one entry, with all logins and roles",
                    at=Location(layout.ROLES, path=f"people.{name}.logins[{index}]"),
                )


def check_policy(policy: Policy) -> Iterator[Finding]:
    """No gate is listed twice in the same words or under one name of the team's, one of them blocks, and metrics are known."""
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
                f"policy {policy.name} has two gates that a report would call {gate.id}",
                fix="give one of them another name",
                at=Location(file, path=f"gates[{index}].name"),
            )
        metric: str | None = getattr(gate, "metric", None)
        if metric is not None and metric not in METRICS:
            yield _unknown_metric(metric, file, f"gates[{index}].metric")
        unsuitable = check_test(gate.test, metric) if isinstance(gate, BeatsChampion) and metric else None
        if unsuitable is not None:
            yield replace(unsuitable, at=Location(file, path=f"gates[{index}].test"))
    if all(gate.severity == "warn" for gate in policy.gates):
        yield Finding(
            "blocking-gate-missing",
            f"no gate of policy {policy.name} stops a version",
            why="each of them has severity: warn",
            fix="take `severity: warn` out of those that are to guard an environment",
            at=Location(file, path="gates"),
        )


def check_enforced(policy: Policy, manifest: Promotion | None = None) -> Iterator[Finding]:
    """Nothing is asked for that this mlgit reads but does not enforce: what is ignored would look like a guard."""
    asked: list[tuple[bool, str, str]] = []
    if manifest is not None:
        file = layout.promotion(manifest.environment, manifest.model)
        asked += [
            (manifest.change not in {"promote", "rollback", "recertify"}, f"change: {manifest.change}", file),
            (manifest.ramp is not None and bool(manifest.ramp.gates), "ramp.gates", file),
        ]
    for is_asked, setting, file in asked:
        if is_asked:
            yield Finding(
                "setting-unsupported",
                f"{setting} is not enforced by this mlgit",
                why="a guard that is written down and not kept would be worse than none",
                fix="take it out, or use an mlgit that enforces it",
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
            f"policy {policy.name} asks for approvals and accepts none",
            why="evidence: none means that no approval is looked for",
            fix="set evidence to signed, or approvals to `promote: {min: 0}`",
            at=Location(layout.policy(policy.name), path="evidence"),
        )


def unknown_finding(id: str, name: str, at: Location, there: Collection[str]) -> Finding:  # noqa: A002
    """Return the finding of a record that names something that is not there.

    Args:
        id: id of the finding, `KIND-unknown`.
        name: the name in the record.
        at: place in the record.
        there: the names that exist.
    """
    noun = id.removesuffix("-unknown")
    listed = ", ".join(sorted(there)[:6]) or "none"
    return Finding(
        id,
        f"there is no {noun} {name}",
        why=f"there is {listed}",
        fix=f"name one of those, or draft it with `mlgit new {noun} {name}`",
        at=at,
    )


def _unknown_metric(name: str, file: str, path: str) -> Finding:
    return Finding(
        "metric-unknown",
        f"{name} is no metric that mlgit computes",
        why=f"it computes {', '.join(sorted(METRICS))}",
        fix="name one of those",
        at=Location(file, path=path),
    )
