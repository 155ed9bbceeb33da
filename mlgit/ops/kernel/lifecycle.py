"""Tree -> what the files say: records read once, when first asked for, in as few reads as there are questions."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, cast

from mlgit.domain import layout
from mlgit.domain.names import VersionRef
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
    Record,
    Roles,
    StandingApproval,
    Version,
)
from mlgit.errors import Finding, Location, MlgitError, refused, usage_error
from mlgit.ops.kernel.ports.formats import RecordReader
from mlgit.ops.kernel.ports.git import Tree

R = TypeVar("R", bound=Record)


class Lifecycle:
    """The state of every model's life in one tree. Records are kept once read; the tree is taken not to change."""

    def __init__(self, tree: Tree, reader: RecordReader) -> None:
        self.tree = tree
        self._reader = reader
        self._records: dict[str, Record | None] = {}

    # What is there

    def environments(self) -> list[str]:
        """Return the environments in the order of the project."""
        return self.project().environments

    def models(self) -> list[str]:
        """Return the models, sorted."""
        return _folders(self.tree.names("models"))

    def numbers(self, model: str) -> list[int]:
        """Return the labels of a model's versions, lowest first."""
        return self.numbers_of([model])[model]

    def numbers_of(self, models: Iterable[str]) -> dict[str, list[int]]:
        """Return the labels of the versions of many models, in one look."""
        wanted = list(models)
        listings = self.tree.names_of([f"models/{model}/versions" for model in wanted])
        return {
            model: sorted(label for name in _folders(names) if (label := layout.version_number(name)) is not None)
            for model, names in zip(wanted, listings, strict=True)
        }

    def promotions(self) -> dict[tuple[str, str], Promotion]:
        """Return every manifest, by environment and model, in the order of the project."""
        environments = list(dict.fromkeys(self.environments()))
        listings = self.tree.names_of([f"environments/{environment}" for environment in environments])
        keys = [
            (environment, name.removesuffix(".yaml"))
            for environment, names in zip(environments, listings, strict=True)
            for name in names
            if name.endswith(".yaml") and name != "environment.yaml"
        ]
        manifests = self.read(Promotion, [layout.promotion(*key) for key in keys])
        return {key: manifest for key, manifest in zip(keys, manifests.values(), strict=True) if manifest is not None}

    # One record

    def project(self) -> Project:
        """Return the project.

        Raises:
            MlgitError: there is none (`not-a-project`).
        """
        project = self.find(Project, layout.PROJECT)
        if project is None:
            raise refused(
                "not-a-project",
                "this repository is not under mlgit",
                why=f"it has no {layout.PROJECT} at its root",
                fix="run `mlgit init` in a new folder, or -C to the project's folder",
            )
        return project

    def environment(self, name: str) -> Environment:
        """Return an environment."""
        return self._get("environment-unknown", Environment, layout.environment(name), name, self.environments)

    def policy(self, name: str) -> Policy:
        """Return a policy."""
        return self._get(
            "policy-unknown", Policy, layout.policy(name), name, lambda: _stems(self.tree.names("policies"))
        )

    def problem(self, name: str) -> Problem:
        """Return a problem."""
        return self._get(
            "problem-unknown", Problem, layout.problem(name), name, lambda: _stems(self.tree.names("problems"))
        )

    def dataset(self, name: str) -> Dataset:
        """Return a dataset's contract."""
        return self._get(
            "dataset-unknown", Dataset, layout.dataset(name), name, lambda: _folders(self.tree.names("datasets"))
        )

    def model(self, name: str) -> Model:
        """Return a model."""
        return self._get("model-unknown", Model, layout.model(name), name, self.models)

    def problem_of(self, model: str) -> Problem:
        """Return the problem that a model is for."""
        return self.problem(self.model(model).problem)

    def version(self, ref: VersionRef, *, at: Location | None = None) -> Version:
        """Return a version.

        Raises:
            MlgitError: there is none (`version-unknown`); names those that there are.
        """
        version = self.find(Version, layout.version(ref.model, ref.number))
        if version is not None:
            return version
        self.model(ref.model)
        numbers = self.numbers(ref.model)
        raise refused(
            "version-unknown",
            f"{ref} does not exist",
            at=at,
            why=f"{ref.model} has {_listing(numbers)}",
            fix=("name one of those, or run " if numbers else "run ")
            + f"`mlgit train {ref.model}` and `mlgit register {ref.model}` to make {'the next one' if numbers else 'one'}",
        )

    def find_version(self, model: str, number: int) -> Version | None:
        """Return a version by its label; None if there is none."""
        return self.find(Version, layout.version(model, number))

    def resolve_model(self, name: str | None) -> str:
        """Return a model by name; the only one there is if no name is given.

        Raises:
            MlgitError: there is none, or more than one to choose from.
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

    def promotion(self, environment: str, model: str) -> Promotion | None:
        """Return the manifest of a model in an environment; None if it has none."""
        return self.find(Promotion, layout.promotion(environment, model))

    def champion(self, environment: str, model: str) -> Version | None:
        """Return the version that an environment is to run; None if there is none."""
        manifest = self.promotion(environment, model)
        if manifest is None or manifest.slots.champion is None:
            return None
        return self.version(VersionRef(model, manifest.slots.champion.version))

    def primary_metrics(self, models: Iterable[str]) -> dict[str, str]:
        """Return the metric that decides for each model, in two reads."""
        found = self.read(Model, [layout.model(name) for name in models])
        known = {model.name: model.problem for model in found.values() if model is not None}
        problems = self.read(Problem, [layout.problem(name) for name in dict.fromkeys(known.values())])
        return {
            name: problem.metric.primary
            for name, wanted in known.items()
            if (problem := problems[layout.problem(wanted)]) is not None
        }

    def roles(self) -> Roles:
        """Return who is who; nobody, if the project does not say.

        Raises:
            MlgitError: the file is a link (`path-is-link`): who is excluded could then not be told.
        """
        found = self.find(Roles, layout.ROLES)
        folder, _, name = layout.ROLES.rpartition("/")
        if found is None and name in self.tree.names(folder):
            raise _no_file(layout.ROLES)
        return found or Roles(schema=1, people={})

    def holds(self) -> dict[str, Hold]:
        """Return every hold, by its name."""
        return self._below("holds", Hold)

    def overrides(self) -> dict[str, Override]:
        """Return every override, by its name."""
        return self._below("overrides", Override)

    def standing_approvals(self) -> dict[str, StandingApproval]:
        """Return every standing approval, by its name."""
        return self._below("standing-approvals", StandingApproval)

    # Many records

    def _below(self, top: str, kind: type[R]) -> dict[str, R]:
        """Return the records below a folder, at whatever depth, each by its path without folder and extension.

        Raises:
            MlgitError: one is no plain file (`path-is-link`): what it says could then not be told.
        """
        paths: list[str] = []
        folders = [top]
        while folders:
            listings = zip(folders, self.tree.names_of(folders), strict=True)
            names = [f"{folder}/{name}" for folder, listed in listings for name in listed]
            paths += [path for path in names if path.endswith(".yaml")]
            folders = [path.removesuffix("/") for path in names if path.endswith("/")]
        found = {}
        for path, record in self.read(kind, sorted(paths)).items():
            if record is None:
                raise _no_file(path)
            found[path.removeprefix(f"{top}/").removesuffix(".yaml")] = record
        return found

    def find(self, kind: type[R], path: str) -> R | None:
        """Return the record at a path; None if there is no such file."""
        return self.read(kind, [path])[path]

    def read(self, kind: type[R], paths: Iterable[str]) -> Mapping[str, R | None]:
        """Return the records at many paths, in one read for all that are not known yet.

        Raises:
            MlgitError: with every problem of every file that is no record of its kind, or that is one of another kind than
                asked for (`record-kind-mismatch`).
        """
        records, problems = self.read_each(paths)
        if problems:
            raise MlgitError(*problems)
        for path, record in records.items():
            if record is not None and not isinstance(record, kind):  # the path was taken from another record
                raise _other_kind(path, record, kind)
        return cast("Mapping[str, R | None]", records)

    def read_each(self, paths: Iterable[str], *, keep: bool = True) -> tuple[dict[str, Record | None], list[Finding]]:
        """Return what can be read at many paths, and every problem of what cannot.

        Args:
            paths: paths of records.
            keep: whether the records are remembered; without, memory holds only what is returned.
        """
        wanted = list(paths)
        records = {path: self._records[path] for path in wanted if path in self._records}
        problems: list[Finding] = []
        for path, content in self.tree.read_many(path for path in wanted if path not in records):
            try:
                records[path] = None if content is None else self._reader(path, content)
            except MlgitError as error:
                problems.extend(error.findings)
        if keep:
            self._records.update(records)
        return {path: records[path] for path in wanted if path in records}, problems

    def _get(self, id: str, kind: type[R], path: str, name: str, names: Callable[[], list[str]]) -> R:  # noqa: A002
        record = self.find(kind, path)
        if record is not None:
            return record
        import difflib  # noqa: PLC0415 - only for a wrong name

        noun = id.removesuffix("-unknown")
        there = names()
        near = [other for other in there if other.startswith(name)] or difflib.get_close_matches(name, there, n=1)
        raise refused(
            id,
            f"there is no {noun} {name}",
            why=f"{path} does not exist" + (f"; there is {', '.join(there[:5])}" if there else ""),
            fix=f"did you mean {near[0]}?" if near else f"`mlgit new {noun} {name}` drafts one",
        )


def _no_file(path: str) -> MlgitError:
    return refused(
        "path-is-link",
        f"{path} is no plain file",
        why="what a link leads to can be anywhere, so what it says cannot be told",
        fix="put the file itself there",
        at=Location(path),
    )


def _other_kind(path: str, record: Record, wanted: type[Record]) -> MlgitError:
    there, asked = (kind.__struct_config__.tag for kind in (type(record), wanted))
    return refused(
        "record-kind-mismatch",
        f"{path} is a file of the kind {there}, where one of the kind {asked} is named",
        why="the place of a file tells its kind",
        fix=f"name a file of the kind {asked}",
        at=Location(path),
    )


def _folders(names: Iterable[str]) -> list[str]:
    return [name.removesuffix("/") for name in names if name.endswith("/")]


def _stems(names: Iterable[str]) -> list[str]:
    return [name.removesuffix(".yaml") for name in names if name.endswith(".yaml")]


def _listing(numbers: list[int]) -> str:
    if not numbers:
        return "no versions yet"
    if len(numbers) == 1:
        return f"version {numbers[0]} only"
    shown = [str(number) for number in numbers[-6:]]
    return f"versions {'..., ' if len(numbers) > len(shown) else ''}{', '.join(shown[:-1])} and {shown[-1]}"
