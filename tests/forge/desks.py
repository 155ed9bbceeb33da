"""Desks (see `tests.flows.people`) with a fake forge in their environment."""

from collections.abc import Mapping
from pathlib import Path

from tests.flows.people import Desk, Now
from tests.forge.fake import FakeForge


class ForgeDesk(Desk):
    """A desk with more in its environment."""

    def __init__(
        self, name: str, root: Path, keys: Path, now: Now, settings: Mapping[str, str] | None, more: Mapping[str, str]
    ) -> None:
        super().__init__(name, root, keys, now, settings)
        self._more = more

    def at(self, folder: Path) -> "ForgeDesk":
        return ForgeDesk(self.name, folder, self._keys, self._now, self._settings, self._more)

    def using(self, **settings: str) -> "ForgeDesk":
        changed = {key.replace("_", "."): value for key, value in settings.items()}
        return ForgeDesk(self.name, self.root, self._keys, self._now, {**self._settings, **changed}, self._more)

    def _environment(self) -> dict[str, str]:
        return super()._environment() | dict(self._more)


def at_forge(desk: Desk, forge: FakeForge, login: str | None = "") -> ForgeDesk:
    """Return somebody's desk with a forge in its environment, and the token of a login: their own name, or None for no token."""
    more = forge.environment(desk.name if login == "" else login)
    return ForgeDesk(desk.name, desk.root, desk._keys, desk._now, desk._settings, more)
