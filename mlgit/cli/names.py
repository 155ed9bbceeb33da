"""The names that exist in a project, for completion: read from Git without parsing a record."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.edges.git.repository import GitRepository
    from mlgit.edges.git.trees import GitTree

_PROPOSALS: Final = "mlgit/promote/"
_REF_PREFIXES: Final = ("refs/heads/", "refs/tags/", "refs/remotes/")


class ProjectNames:
    """The names of everything at HEAD, each kind as an iterator over those that may begin with what was typed."""

    def __init__(self, repository: "GitRepository", typed: str) -> None:
        """Take a repository with a commit, and what was typed."""
        self._repository = repository
        self._tree: GitTree = repository.tree("HEAD")
        self._typed = typed

    def models(self) -> Iterator[str]:
        """Yield the models."""
        return self._folders("models")

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
        models = list(self.models())
        yield from (f"{environment}/{model}" for environment in self.environments() for model in models)

    def placed_versions(self) -> Iterator[str]:
        """Yield each version in each environment."""
        environment, slash, typed = self._typed.partition("/")
        for name in self.environments():
            if not slash or name == environment:
                yield from (f"{name}/{version}" for version in self._versions(typed))

    def promotions(self) -> Iterator[str]:
        """Yield the open promotions, as `ENV/MODEL`; each model in each environment if none is open."""
        refs = [ref for prefix in ("refs/heads/", "refs/remotes/origin/") for ref in self._refs(prefix + _PROPOSALS)]
        yield from dict.fromkeys(ref.partition(_PROPOSALS)[2] for ref in refs)
        if not refs:
            yield from self.model_places()

    def branches(self) -> Iterator[str]:
        """Yield the branches of open promotions."""
        return (ref.removeprefix("refs/heads/") for ref in self._refs(f"refs/heads/{_PROPOSALS}"))

    def revisions(self) -> Iterator[str]:
        """Yield branches and tags."""
        for prefix in _REF_PREFIXES:
            yield from (ref.removeprefix(prefix) for ref in self._refs(prefix))

    def gates(self) -> Iterator[str]:
        """Yield the kinds of gates."""
        from mlgit.domain.gates import REGISTRY  # noqa: PLC0415 - imports every gate

        yield from REGISTRY

    def _versions(self, typed: str) -> Iterator[str]:
        wanted, at, _ = typed.partition("@")
        models = [model for model in self.models() if (model == wanted if at else model.startswith(wanted))]
        for model, names in zip(
            models, self._tree.names_of([f"models/{model}/versions" for model in models]), strict=True
        ):
            numbers = (name.removesuffix("/").removeprefix("v") for name in names if name.startswith("v"))
            yield from (f"{model}@{number}" for number in sorted(filter(str.isdecimal, numbers), key=int, reverse=True))

    def _folders(self, folder: str) -> Iterator[str]:
        return (name.removesuffix("/") for name in self._tree.names(folder) if name.endswith("/"))

    def _files(self, folder: str) -> Iterator[str]:
        return (name.removesuffix(".yaml") for name in self._tree.names(folder) if name.endswith(".yaml"))

    def _nested(self, folder: str) -> Iterator[str]:
        """Yield the records below a folder at any depth, by their paths from there without extension."""
        for name in self._tree.names(folder):
            if name.endswith("/"):
                yield from (f"{name}{inner}" for inner in self._nested(f"{folder}/{name.removesuffix('/')}"))
            elif name.endswith(".yaml"):
                yield name.removesuffix(".yaml")

    def _refs(self, prefix: str) -> list[str]:
        return list(self._repository.refs(prefix))


Names = Callable[[ProjectNames], Iterator[str]]


def complete(ctx: click.Context, typed: str, *kinds: Names) -> list[Any]:
    """Return the names of some kinds that begin with what was typed.

    There are none if they cannot be read, because a shell has no place for errors.
    """
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only while completing

    from mlgit.edges.git.repository import open_repository  # noqa: PLC0415 - only while completing

    directory = ctx.find_root().params.get("directory") or "."
    try:
        with open_repository(Path(directory)) as repository:
            names = ProjectNames(repository, typed)
            found = [name for kind in kinds for name in kind(names) if name.startswith(typed)]
    except MlgitError:
        return []
    return [CompletionItem(name) for name in dict.fromkeys(found)]
