"""The state of every model's life, as the files of one tree describe it."""

from collections.abc import Callable, Iterable

from mlgit.domain import layout
from mlgit.domain.names import VersionRef, is_name
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
from mlgit.errors import Location, refused, usage_error
from mlgit.ops.kernel.record_tree import R, RecordTree, not_a_file

_LISTED_VERSIONS = 6  # the newest version numbers in a message


class Lifecycle(RecordTree):
    """The state of every model's life in one tree: a commit, the work tree, or a dict in a test.

    Everything that mlgit decides, it reads from here: problems, datasets, models and their versions, environments and their
    policies, the manifests that say which version runs where, holds and signed exceptions. What targets were observed to run
    is in the ledger, not here.

    Each method that reads a record raises MlgitError with every problem of a file that is not a valid record.
    """

    # Names

    def environments(self) -> list[str]:
        """Return the environments in the order of the project.

        Raises:
            MlgitError: there is no project (`not-a-project`).
        """
        return self.project().environments

    def models(self) -> list[str]:
        """Return the names of the models, sorted."""
        return _folders(self.tree.names("models"))

    def numbers(self, model: str) -> list[int]:
        """Return the version numbers of a model, lowest first; none for an unknown model."""
        return self.numbers_of([model])[model]

    def numbers_of(self, models: Iterable[str]) -> dict[str, list[int]]:
        """Return `numbers` of many models, in one read."""
        models = list(models)
        listings = self.tree.names_of([f"models/{model}/versions" for model in models])
        return {
            model: sorted(number for name in _folders(names) if (number := layout.version_number(name)) is not None)
            for model, names in zip(models, listings, strict=True)
        }

    def resolve_model(self, name: str | None) -> str:
        """Return the name of a model; without a name, that of the only model.

        Raises:
            MlgitError: the model does not exist (`model-unknown`).
            UsageError: no name is given, and there is no model or more than one (`model-ambiguous`).
        """
        models = self.models()
        if name is not None:
            return self.model(name).name
        if len(models) == 1:
            return models[0]
        raise usage_error(
            "model-ambiguous",
            f"there are {len(models)} models" if models else "there is no model yet",
            why=", ".join(models),
            fix="name one of them" if models else "`mlgit new model NAME` drafts one",
        )

    def resolve_version(self, subject: VersionRef | str) -> VersionRef:
        """Return a version; for the name of a model, its newest version.

        Raises:
            MlgitError: the model does not exist (`model-unknown`), or has no version yet (`version-unknown`).
        """
        if isinstance(subject, VersionRef):
            return subject
        numbers = self.numbers(subject)
        if numbers:
            return VersionRef(subject, numbers[-1])
        self.model(subject)
        raise refused(
            "version-unknown",
            f"{subject} has no version yet",
            fix=f"run `mlgit train {subject}` and `mlgit register {subject}` to make one",
        )

    # Records that must exist

    def project(self) -> Project:
        """Return the project.

        Raises:
            MlgitError: there is none (`not-a-project`).
        """
        project = self.find(Project, layout.PROJECT)
        if project is None:
            raise refused(
                "not-a-project",
                "this repository is not an mlgit project",
                why=f"it has no {layout.PROJECT} at its root",
                fix="run `mlgit init` in a new folder, or use -C with the project's folder",
            )
        return project

    def environment(self, name: str) -> Environment:
        """Return an environment.

        Raises:
            MlgitError: it does not exist (`environment-unknown`).
        """
        return self._require("environment-unknown", Environment, layout.environment(name), name, self.environments)

    def policy(self, name: str) -> Policy:
        """Return a policy.

        Raises:
            MlgitError: it does not exist (`policy-unknown`).
        """
        return self._require(
            "policy-unknown", Policy, layout.policy(name), name, lambda: _yaml_names(self.tree.names("policies"))
        )

    def problem(self, name: str) -> Problem:
        """Return a problem.

        Raises:
            MlgitError: it does not exist (`problem-unknown`).
        """
        return self._require(
            "problem-unknown", Problem, layout.problem(name), name, lambda: _yaml_names(self.tree.names("problems"))
        )

    def dataset(self, name: str) -> Dataset:
        """Return the contract of a dataset.

        Raises:
            MlgitError: it does not exist (`dataset-unknown`).
        """
        return self._require(
            "dataset-unknown", Dataset, layout.dataset(name), name, lambda: _folders(self.tree.names("datasets"))
        )

    def model(self, name: str) -> Model:
        """Return a model.

        Raises:
            MlgitError: it does not exist (`model-unknown`).
        """
        return self._require("model-unknown", Model, layout.model(name), name, self.models)

    def problem_of(self, model: str) -> Problem:
        """Return the problem that a model solves.

        Raises:
            MlgitError: the model or its problem does not exist (`model-unknown`, `problem-unknown`).
        """
        return self.problem(self.model(model).problem)

    def version(self, ref: VersionRef, *, at: Location | None = None) -> Version:
        """Return a version.

        Args:
            ref: the version.
            at: the place that names it, for the message.

        Raises:
            MlgitError: the version does not exist (`version-unknown`), or its model does not (`model-unknown`).
        """
        version = self.find(Version, layout.version(ref.model, ref.number))
        if version is not None:
            return version
        self.model(ref.model)
        numbers = self.numbers(ref.model)
        train = f"`mlgit train {ref.model}` and `mlgit register {ref.model}`"
        raise refused(
            "version-unknown",
            f"{ref} does not exist",
            at=at,
            why=f"{ref.model} has {_listing(numbers)}",
            fix=f"name one of those, or run {train} to make the next one" if numbers else f"run {train} to make one",
        )

    # Records that may be missing

    def find_version(self, model: str, number: int) -> Version | None:
        """Return a version by its number; None if it does not exist."""
        return self.find(Version, layout.version(model, number))

    def promotion(self, environment: str, model: str) -> Promotion | None:
        """Return the manifest of a model in an environment; None if it has none."""
        return self.find(Promotion, layout.promotion(environment, model))

    def promotions(self) -> dict[tuple[str, str], Promotion]:
        """Return every manifest by environment and model, in the order of the project.

        A file whose name no model can have is no manifest; `mlgit validate` reports it.
        """
        environments = list(dict.fromkeys(self.environments()))
        listings = self.tree.names_of([f"environments/{environment}" for environment in environments])
        keys = [
            (environment, name.removesuffix(".yaml"))
            for environment, names in zip(environments, listings, strict=True)
            for name in names
            if name.endswith(".yaml") and name != "environment.yaml" and is_name(name.removesuffix(".yaml"))
        ]
        manifests = self.read(Promotion, [layout.promotion(*key) for key in keys])
        return {key: manifest for key, manifest in zip(keys, manifests.values(), strict=True) if manifest is not None}

    def select_promotions(self, environment: str | None, model: str | None) -> dict[tuple[str, str], Promotion]:
        """Return the manifests of one environment, of one model, or of both; None stands for all.

        Raises:
            MlgitError: there is no such environment or model (`environment-unknown`, `model-unknown`).
        """
        if environment is not None:
            self.environment(environment)
        if model is not None:
            self.model(model)
        return {
            key: manifest
            for key, manifest in self.promotions().items()
            if environment in {None, key[0]} and model in {None, key[1]}
        }

    def champion(self, environment: str, model: str) -> Version | None:
        """Return the version that an environment is to run as champion; None if it is to run none.

        Raises:
            MlgitError: the manifest names a version that does not exist (`version-unknown`).
        """
        manifest = self.promotion(environment, model)
        if manifest is None or manifest.slots.champion is None:
            return None
        return self.version(VersionRef(model, manifest.slots.champion.version))

    def primary_metrics(self, models: Iterable[str]) -> dict[str, str]:
        """Return the primary metric of each model, in two reads; models without a problem are left out."""
        records = self.read(Model, [layout.model(name) for name in models])
        problem_names = {model.name: model.problem for model in records.values() if model is not None}
        problems = self.read(Problem, [layout.problem(name) for name in dict.fromkeys(problem_names.values())])
        return {
            model: problem.metric.primary
            for model, name in problem_names.items()
            if (problem := problems[layout.problem(name)]) is not None
        }

    def roles(self) -> Roles:
        """Return the people and their roles; nobody if the project has no such file.

        Raises:
            MlgitError: the file is a symbolic link (`path-is-link`). To read it as missing would drop the exclusions in it.
        """
        roles = self.find(Roles, layout.ROLES)
        folder, _, name = layout.ROLES.rpartition("/")
        if roles is None and name in self.tree.names(folder):
            raise not_a_file(layout.ROLES)
        return roles or Roles(schema=1, people={})

    def holds(self) -> dict[str, Hold]:
        """Return every hold by its name.

        Raises:
            MlgitError: as `read_folder`.
        """
        return self.read_folder("holds", Hold)

    def overrides(self) -> dict[str, Override]:
        """Return every override by its name.

        Raises:
            MlgitError: as `read_folder`.
        """
        return self.read_folder("overrides", Override)

    def standing_approvals(self) -> dict[str, StandingApproval]:
        """Return every standing approval by its name.

        Raises:
            MlgitError: as `read_folder`.
        """
        return self.read_folder("standing-approvals", StandingApproval)

    def _require(self, id: str, kind: type[R], path: str, name: str, names: Callable[[], list[str]]) -> R:  # noqa: A002
        """Return the record at a path.

        Raises:
            MlgitError: with `id`, it does not exist; the fix suggests the most similar of `names`.
        """
        record = self.find(kind, path)
        if record is not None:
            return record
        import difflib  # noqa: PLC0415 - only for a wrong name

        noun = id.removesuffix("-unknown")
        existing = names()
        similar = [other for other in existing if other.startswith(name)]
        similar = similar or difflib.get_close_matches(name, existing, n=1)
        raise refused(
            id,
            f"there is no {noun} {name}",
            why=f"{path} does not exist" + (f"; there is {', '.join(existing[:5])}" if existing else ""),
            fix=f"did you mean {similar[0]}?" if similar else f"`mlgit new {noun} {name}` drafts one",
        )


def _folders(names: Iterable[str]) -> list[str]:
    """Return the names of folders that a record can have; `mlgit validate` reports the others."""
    return [name[:-1] for name in names if name.endswith("/") and is_name(name[:-1])]


def _yaml_names(names: Iterable[str]) -> list[str]:
    stems = [name.removesuffix(".yaml") for name in names if name.endswith(".yaml")]
    return [stem for stem in stems if is_name(stem)]


def _listing(numbers: list[int]) -> str:
    if not numbers:
        return "no versions yet"
    if len(numbers) == 1:
        return f"version {numbers[0]} only"
    shown = [str(number) for number in numbers[-_LISTED_VERSIONS:]]
    return f"versions {'..., ' if len(numbers) > len(shown) else ''}{', '.join(shown[:-1])} and {shown[-1]}"
