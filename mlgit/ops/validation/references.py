"""Validate the records that people write, and the references between them."""

from collections.abc import Collection, Mapping

from mlgit.domain import layout
from mlgit.domain.names import Digest
from mlgit.domain.records import (
    Dataset,
    Environment,
    Hold,
    Model,
    Override,
    Policy,
    Problem,
    Project,
    Promotion,
    Roles,
    StandingApproval,
    Version,
)
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.rules import exceptions as exception_rules
from mlgit.domain.rules.configuration import (
    check_enforced,
    check_environment,
    check_model,
    check_policy,
    check_problem,
    check_project,
    check_roles,
    check_timestamps,
)
from mlgit.domain.rules.names import check_dataset
from mlgit.domain.rules.promotions import check_environment_exists
from mlgit.ops.validation.tree_check import Records, TreeCheck, of_kind, record_name


def check_references(check: TreeCheck, paths: Mapping[str, Collection[str]]) -> dict[str, Records]:
    """Read records, and check each against those that it names.

    A reference is checked against paths, not against valid records: a file that exists but is invalid has findings of its own,
    and must not be reported as missing as well.

    Args:
        check: the validation of the tree.
        paths: paths of records by kind, without those of versions and gate reports.

    Returns:
        The records by kind and path.
    """
    references = _References(check, paths)
    references.check_definitions()
    references.check_holds()
    references.check_overrides()
    references.check_standing_approvals()
    return references.records


class _References:
    """The records that people write, in one tree, and the names that exist of each kind."""

    def __init__(self, check: TreeCheck, paths: Mapping[str, Collection[str]]) -> None:
        self.records = {kind: check.read(listed) for kind, listed in paths.items()}
        self._check = check
        self._names = {kind: {record_name(path) for path in listed} for kind, listed in paths.items()}

    def check_definitions(self) -> None:
        """Check problems, models, policies, environments, the project, roles and manifests."""
        add = self._check.add
        for problem in of_kind(Problem, self._of("problem")):
            add(check_problem(problem))
        for dataset in of_kind(Dataset, self._of("dataset")):
            add(check_dataset(dataset))
        for model in of_kind(Model, self._of("model")):
            add(check_model(model, self._names.get("problem", ()), self._names.get("dataset", ())))
        primary = {problem.metric.primary for problem in of_kind(Problem, self._of("problem"))}
        for policy in of_kind(Policy, self._of("policy")):
            add(check_policy(policy, primary))
        for project in of_kind(Project, self._of("project")):
            add(check_project(project, self._names.get("environment", ())))
            for policy in of_kind(Policy, self._of("policy")):
                add(check_timestamps(project, policy))
            for environment in of_kind(Environment, self._of("environment")):
                add(check_environment(environment, project, self._names.get("policy", ())))
                if (enforced := self._policy(environment.policy)) is not None:
                    add(check_enforced(enforced))
        for roles in of_kind(Roles, self._of("roles")):
            add(check_roles(roles))
        for manifest in of_kind(Promotion, self._of("promotion")):
            add(check_environment_exists(manifest, self._names.get("environment", ())))

    def check_holds(self) -> None:
        """Check the environment, model and version that each hold names."""
        for path, hold in self._of("hold").items():
            if isinstance(hold, Hold):
                findings = exception_rules.check_hold(
                    record_name(path),
                    hold,
                    environments=self._names.get("environment", set()),
                    models=self._names.get("model", set()),
                    digest=self._digest(hold.model, hold.version, hold.digest),
                )
                self._check.add(findings)

    def check_overrides(self) -> None:
        """Check what each override names, and whether the policy and the roles allow it."""
        for path, override in self._of("override").items():
            if isinstance(override, Override):
                findings = exception_rules.check_override(
                    record_name(path),
                    override,
                    environments=self._names.get("environment", set()),
                    policy=self._policy_of(override.environment),
                    models=self._names.get("model", set()),
                    digest=self._digest(override.model, override.version, override.digest),
                    people=self._people(),
                )
                self._check.add(findings)

    def check_standing_approvals(self) -> None:
        """Check what each standing approval names, and whether the policy, the risk and the roles allow it."""
        for path, standing in self._of("standing-approval").items():
            if isinstance(standing, StandingApproval):
                model = self._of("model").get(layout.model(standing.model))
                problem = self._of("problem").get(layout.problem(model.problem)) if isinstance(model, Model) else None
                findings = exception_rules.check_standing_approval(
                    record_name(path),
                    standing,
                    environments=self._names.get("environment", set()),
                    models=self._names.get("model", set()),
                    policy=self._policy_of(standing.environment),
                    risk=problem.risk if isinstance(problem, Problem) else None,
                    people=self._people(),
                )
                self._check.add(findings)

    def _of(self, kind: str) -> Records:
        return self.records.get(kind, {})

    def _policy(self, name: str) -> Policy | None:
        policy = self._of("policy").get(layout.policy(name))
        return policy if isinstance(policy, Policy) else None

    def _policy_of(self, environment: str) -> Policy | None:
        """Return the policy of an environment; None if either is missing or invalid."""
        record = self._of("environment").get(layout.environment(environment))
        return self._policy(record.policy) if isinstance(record, Environment) else None

    def _people(self) -> dict[str, RoleHolder]:
        return {name: holder for roles in of_kind(Roles, self._of("roles")) for name, holder in roles.people.items()}

    def _digest(self, model: str | None, version: int | None, stated: Digest | None) -> Digest | None:
        """Return the digest of a version; None if it does not exist, and the stated digest if its record is invalid."""
        if model is None or version is None:
            return None
        path = layout.version(model, version)
        records, problems = self._check.state.read_each([path])
        self._check.add(problems)
        record = records.get(path)
        return record.digest if isinstance(record, Version) else stated if problems else None
