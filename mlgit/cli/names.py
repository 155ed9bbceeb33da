"""The names that exist in a project, for completion: read from Git without parsing a record.

This module is imported to complete a name, and so imports little: no command, no operation and no record.
"""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Final

import click

from mlgit.edges.git.command import Git
from mlgit.edges.git.listing import list_names, list_refs
from mlgit.errors import MlgitError

_PROPOSALS: Final = "mlgit/promote/"
_REF_PREFIXES: Final = ("refs/heads/", "refs/tags/", "refs/remotes/")


class ProjectNames:
    """The names of everything at HEAD, each kind as an iterator over those that may begin with what was typed."""

    def __init__(self, git: Git, typed: str) -> None:
        """Take Git in the folder of the command, and what was typed."""
        self._git = git
        self._typed = typed

    def models(self) -> Iterator[str]:
        """Yield the models."""
        yield from self._models

    def environments(self) -> Iterator[str]:
        """Yield the environments."""
        return self._folders("environments")

    def datasets(self) -> Iterator[str]:
        """Yield the datasets."""
        return self._folders("datasets")

    def policies(self) -> Iterator[str]:
        """Yield the policies."""
        return self._files("policies")

    def problems(self) -> Iterator[str]:
        """Yield the problems."""
        return self._files("problems")

    def holds(self) -> Iterator[str]:
        """Yield the holds."""
        return self._nested("holds")

    def overrides(self) -> Iterator[str]:
        """Yield the overrides."""
        return self._nested("overrides")

    def standing_approvals(self) -> Iterator[str]:
        """Yield the standing approvals."""
        return self._nested("standing-approvals")

    def versions(self) -> Iterator[str]:
        """Yield the versions of those models that what was typed may begin with, newest first."""
        return self._versions(self._typed)

    def places(self) -> Iterator[str]:
        """Yield each environment, and each model in it."""
        yield from self.environments()
        yield from self.model_places()

    def model_places(self) -> Iterator[str]:
        """Yield each model in each environment."""
        yield from (f"{environment}/{model}" for environment in self.environments() for model in self._models)

    def placed_versions(self) -> Iterator[str]:
        """Yield each version in each environment."""
        environment, slash, typed = self._typed.partition("/")
        for name in self.environments():
            if name == environment if slash else name.startswith(environment):
                yield from (f"{name}/{version}" for version in self._versions(typed))

    def promotions(self) -> Iterator[str]:
        """Yield the open promotions, as `ENV/MODEL`; each model in each environment if none is open.

        Where the name of a branch was begun, they are branches.
        """
        if self._typed.startswith("mlgit/"):
            yield from (ref.removeprefix("refs/heads/") for ref in self._refs(f"refs/heads/{_PROPOSALS}"))
            return
        refs = [ref for prefix in ("refs/heads/", "refs/remotes/origin/") for ref in self._refs(prefix + _PROPOSALS)]
        yield from dict.fromkeys(ref.partition(_PROPOSALS)[2] for ref in refs)
        if not refs:
            yield from self.model_places()

    def revisions(self) -> Iterator[str]:
        """Yield branches and tags."""
        for prefix in _REF_PREFIXES:
            yield from (ref.removeprefix(prefix) for ref in self._refs(prefix))

    def gates(self) -> Iterator[str]:
        """Yield the kinds of gates."""
        from mlgit.domain.gates import REGISTRY  # noqa: PLC0415 - imports every gate

        yield from REGISTRY

    def topics(self) -> Iterator[str]:
        """Yield the kinds of records, the gates, and the families and ids of findings."""
        from mlgit import explanations  # noqa: PLC0415 - as in `gates`
        from mlgit.domain.records import KINDS  # noqa: PLC0415 - imports every record

        index = explanations.index()
        yield from (*KINDS, *self.gates(), *index.families, *index.findings)

    def _versions(self, typed: str) -> Iterator[str]:
        wanted, at, _ = typed.partition("@")
        models = [model for model in self._models if (model == wanted if at else model.startswith(wanted))]
        folders = [f"models/{model}/versions" for model in models]
        listed = list_names(self._git, folders)
        for model, folder in zip(models, folders, strict=True):
            numbers = [name[1:-1] for name in listed[folder] if name.startswith("v") and name.endswith("/")]
            yield from (f"{model}@{number}" for number in sorted(filter(str.isdecimal, numbers), key=int, reverse=True))

    @cached_property
    def _models(self) -> list[str]:
        return list(self._folders("models"))

    def _folders(self, folder: str) -> Iterator[str]:
        return (name.removesuffix("/") for name in self._names(folder) if name.endswith("/"))

    def _files(self, folder: str) -> Iterator[str]:
        return (name.removesuffix(".yaml") for name in self._names(folder) if name.endswith(".yaml"))

    def _nested(self, folder: str) -> Iterator[str]:
        """Yield the records below a folder at any depth, by their paths from there without extension."""
        for name in self._names(folder):
            if name.endswith("/"):
                yield from (f"{name}{inner}" for inner in self._nested(f"{folder}/{name.removesuffix('/')}"))
            elif name.endswith(".yaml"):
                yield name.removesuffix(".yaml")

    def _names(self, folder: str) -> list[str]:
        return list_names(self._git, [folder])[folder]

    def _refs(self, prefix: str) -> list[str]:
        return list_refs(self._git, prefix)


Names = Callable[[ProjectNames], Iterator[str]]


class NameType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """The name of a model, an environment and so on; completed from the existing ones."""

    name = "name"

    def __init__(self, noun: str, *names: Names) -> None:
        """Take what it is a name of, and the names to suggest."""
        self.name = noun
        self.names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Suggest the names that exist and begin with what was typed.

        There are none if they cannot be read, because a shell has no place for errors.
        """
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only while completing

        directory = ctx.find_root().params.get("directory") or os.curdir
        names = ProjectNames(Git(directory), incomplete)
        try:
            found = [name for kind in self.names for name in kind(names) if name.startswith(incomplete)]
        except MlgitError:
            return []
        return [CompletionItem(name) for name in dict.fromkeys(found)]
