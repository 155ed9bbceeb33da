"""The port to the installer of Python packages."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class PackageFile(msgspec.Struct, frozen=True):
    """The file of a package that an installation would use, with its sha256. `url` is where it is."""

    name: str
    version: str
    url: str
    sha256: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.url.partition("#")[0].rstrip("/").rpartition("/")[2]

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel, so that nothing of it is run while it is installed."""
        return self.file.endswith(".whl")

    @property
    def is_for_every_machine(self) -> bool:
        """Whether it is a wheel for every system and processor."""
        return self.file.endswith("-any.whl")


class Wheel(msgspec.Struct, frozen=True):
    """A wheel that is in no index: its file name and its content."""

    file: str
    content: bytes


class Installer(Protocol):
    """Resolves and builds packages. The index that it asks is that of its own configuration."""

    def resolve(self, requirements: Sequence[str], files: Sequence[str]) -> list[PackageFile]:
        """Return everything that an installation of requirements, and of those in requirements files, would need here.

        Wheels that `wheel` returned before are preferred.

        Raises:
            MlgitError: they cannot be installed together (`packages-unresolvable`).
        """
        ...

    def resolve_for_workflows(self, requirements: Sequence[str]) -> list[PackageFile]:
        """Return, of pinned requirements alone, the wheels that the workflows would install.

        Raises:
            MlgitError: there is none for one of them (`packages-unresolvable`).
        """
        ...

    def wheel(self, requirement: str) -> Wheel:
        """Return the wheel of one requirement, without its dependencies: of an index, a URL, a path or a commit.

        Raises:
            MlgitError: there is none, and it cannot be built (`packages-unresolvable`).
        """
        ...
