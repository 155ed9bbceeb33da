"""Targets, which run versions: a module for each kind, and a line in TARGETS."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlgit.domain.records.environment import DirectoryTargetSpec, NoTargetSpec, TargetSpec

if TYPE_CHECKING:
    from mlgit.ops.kernel.ports.target import Target

TARGETS: Final = {
    DirectoryTargetSpec: "directory:open_target",
}
"""The function that opens each kind of target, as `module:function` in this package, imported when it is needed.

It takes the target's settings in the environment and the root of the work tree, and returns the target.
"""


def open_target(spec: TargetSpec, root: Path) -> "Target | None":
    """Return the target of an environment; None if mlgit does not deploy to it.

    Args:
        spec: the target's settings in the environment.
        root: the root of the work tree, for relative paths.
    """
    if isinstance(spec, NoTargetSpec):
        return None
    module, _, function = TARGETS[type(spec)].partition(":")
    opener: Callable[[TargetSpec, Path], Target] = getattr(import_module(f"{__name__}.{module}"), function)
    return opener(spec, root)
