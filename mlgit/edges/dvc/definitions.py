"""The stages of all `dvc.yaml` of a tree, read without DVC: nothing is executed, so the tree may be anybody's."""

import itertools
import json
import posixpath
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mlgit.domain.pipeline import Stage, is_outside
from mlgit.edges.dvc import templating
from mlgit.edges.dvc.templating import MAX_STAGES, TemplateError, Variables
from mlgit.edges.formats import yamlfile
from mlgit.errors import Location, MlgitError, refused
from mlgit.ops.kernel.ports.git import Tree

DEFINITION: Final = "dvc.yaml"
_PARAMS: Final = "params.yaml"
_MAX_BYTES: Final = 1 << 20


def read_stages(tree: Tree) -> list[Stage]:
    """Return every stage of every `dvc.yaml` in a tree.

    Raises:
        MlgitError: a `dvc.yaml` cannot be read (as the reader of YAML), or its stages cannot be determined
            (`pipeline-invalid`).
    """
    files = [(path, content) for path, content in tree.read_many(_definition_files(tree)) if content is not None]
    return [stage for path, content in files for stage in _Definition(tree, path, content).stages()]


def read_values(file: str, content: bytes) -> dict[str, Any]:
    """Return the values in a file of parameters or variables: YAML, JSON or TOML.

    Raises:
        MlgitError: with every problem of a YAML file; or it is not of such a format (`params-unreadable`).
    """
    kind = posixpath.splitext(file)[1]
    if kind not in {".json", ".toml"}:
        return yamlfile.parse(content, file).value if content.strip() else {}
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError("it is larger than 1 MiB")
        values = json.loads(content) if kind == ".json" else tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, str(error)) from error
    if not isinstance(values, dict):
        raise _unreadable(file, "its root is not a mapping")
    return values


def _definition_files(tree: Tree) -> list[str]:
    """Return the path of each `dvc.yaml`, without looking into hidden folders and the many folders of versions."""
    found, folders = [], [""]
    if tree.commit is None:  # on disk there may be large folders that Git ignores, and which `entries` leaves out
        found = [DEFINITION, *(entry.path for entry in tree.entries(_searched(tree)) if _is_definition(entry.path))]
        return list(dict.fromkeys(found))
    while folders:
        listings = zip(folders, tree.names_of(folders), strict=True)
        paths = [f"{folder}/{name}".lstrip("/") for folder, names in listings for name in names]
        found += [path for path in paths if _is_definition(path)]
        folders = [path.rstrip("/") for path in paths if path.endswith("/") and _is_searched(path)]
    return found


def _searched(tree: Tree) -> list[str]:
    """Return the folders and files at the top, and instead of `models` those directly below each model."""
    tops = [name for name in tree.names() if name != "models/" and _is_searched(name)]
    models = [f"models/{name.rstrip('/')}" for name in tree.names("models") if name.endswith("/")]
    listings = zip(models, tree.names_of(models), strict=True)
    below = [f"{model}/{name}" for model, names in listings for name in names]
    return [*tops, *(path for path in below if _is_searched(path))] or [DEFINITION]


def _is_definition(path: str) -> bool:
    return posixpath.basename(path) == DEFINITION


def _is_searched(path: str) -> bool:
    parts = path.rstrip("/").split("/")
    return not parts[-1].startswith(".") and not (parts[0] == "models" and parts[2:] == ["versions"])


class _Definition:
    """One `dvc.yaml`. Paths in it are relative to its folder, or to the `wdir` of a stage."""

    def __init__(self, tree: Tree, path: str, content: bytes) -> None:
        self._tree = tree
        self._path = path
        self._folder = posixpath.dirname(path)
        self._document = yamlfile.parse(content, path).value
        self._loaded: list[str] = []

    def stages(self) -> list[Stage]:
        """Return its stages.

        Raises:
            MlgitError: they cannot be determined (`pipeline-invalid`, or a problem of a file of variables).
        """
        entries = self._document.get("stages") or {}
        try:
            if not isinstance(entries, dict):
                raise TemplateError("`stages` is not a mapping")
            variables = self._variables() if templating.has_references(entries) else {}
            expanded = (stage for name, entry in entries.items() for stage in templating.expand(name, entry, variables))
            stages = [self._stage(*stage) for stage in itertools.islice(expanded, MAX_STAGES + 1)]
            if len(stages) > MAX_STAGES:
                raise TemplateError(f"it has more than {MAX_STAGES:,} stages")
        except (TemplateError, RecursionError) as error:
            raise refused(
                "pipeline-invalid",
                f"the stages of {self._path} cannot be determined",
                why=str(error),
                fix="correct it; `dvc stage list` shows how DVC reads it",
                at=Location(self._path, path="stages"),
            ) from error
        return stages

    def _variables(self) -> Variables:
        """Return the variables for all stages: those of params.yaml beside it, and those of `vars`."""
        default = _join(self._folder, _PARAMS)
        variables: Variables = {}
        if self._tree.read(default) is not None:
            variables = self._load(variables, _PARAMS, self._folder)
        return self._with(variables, self._document.get("vars") or [], self._folder)

    def _with(self, variables: Variables, sources: Any, folder: str) -> Variables:
        """Return variables with those of a list `vars`: mappings, and files with or without a selection of keys."""
        if not isinstance(sources, list):
            raise TemplateError("`vars` is not a list")
        for source in sources:
            if isinstance(source, dict):
                variables = templating.merged(variables, source)
            elif isinstance(source, str):
                variables = self._load(variables, source, folder)
            else:
                raise TemplateError("an entry of `vars` is neither a file nor a mapping")
        return variables

    def _load(self, variables: Variables, source: str, folder: str) -> Variables:
        file, _, keys = source.partition(":")
        path = _join(folder, file)
        content = None if is_outside(path) else self._tree.read(path)
        if content is None:
            raise TemplateError(f"there is no file {path} of variables")
        values = read_values(path, content)
        chosen = [key for key in keys.split(",") if key] or list(values)
        if missing := [key for key in chosen if key not in values]:
            raise TemplateError(f"{path} has no {missing[0]}")
        self._loaded.append(path)
        return templating.merged(variables, {key: values[key] for key in chosen})

    def _stage(self, name: str, definition: Mapping[str, Any], variables: Variables) -> Stage:
        folder = self._folder
        if (own := definition.get("wdir")) is not None:
            folder = _join(folder, _path(templating.resolve(own, variables)))
        if "vars" in definition:
            variables = self._with(variables, definition["vars"], folder)

        def paths(*keys: str) -> tuple[str, ...]:
            listed = itertools.chain.from_iterable(_paths(definition.get(key)) for key in keys)
            return tuple(_join(folder, _path(templating.resolve(path, variables))) for path in listed)

        params = tuple(
            _join(folder, _path(templating.resolve(file, variables))) for file in _files_of(definition.get("params"))
        )
        return Stage(
            name=name,
            file=self._path,
            deps=paths("deps"),
            outs=paths("outs", "metrics", "plots"),
            params=tuple(dict.fromkeys(params)),
            variables=tuple(dict.fromkeys(self._loaded)),
        )


def _paths(items: Any) -> Iterator[Any]:
    """Yield the paths in a list of dependencies or outputs, which may be mappings with the path as key."""
    for item in _list(items):
        yield from item if isinstance(item, dict) else [item]


def _files_of(params: Any) -> Iterator[Any]:
    """Yield the files in a list of parameters: keys of params.yaml, or mappings of another file to its keys."""
    for item in _list(params):
        yield from item if isinstance(item, dict) else [_PARAMS]


def _list(items: Any) -> Iterable[Any]:
    if not isinstance(items, list | None):
        raise TemplateError("`deps`, `outs` and `params` have to be lists")
    return items or ()


def _path(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"{value!r} is not a path"[:200])
    return value


def _join(folder: str, path: str) -> str:
    return path if "://" in path else posixpath.normpath(posixpath.join(folder, path))


def _unreadable(file: str, why: str) -> MlgitError:
    return refused(
        "params-unreadable",
        f"the parameters in {file} cannot be read",
        why=why,
        fix="correct the file; parameters are YAML, JSON or TOML",
        at=Location(file),
    )
