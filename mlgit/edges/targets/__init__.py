"""Where versions run: a module for each kind of target, and a line in TARGETS."""

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
"""The function that opens each kind of target, as `module:function` below this package, imported when it is needed.

It takes the spec of the environment and the root of the work tree, and returns the target.
"""


def open_target(spec: TargetSpec, root: Path) -> "Target | None":
    """Return the target of an environment; None where mlgit does not deploy to it.

    Args:
        spec: what the environment says of its target.
        root: the root of the work tree, which relative paths start from.
    """
    if isinstance(spec, NoTargetSpec):
        return None
    module, _, function = TARGETS[type(spec)].partition(":")
    opener: Callable[[TargetSpec, Path], Target] = getattr(import_module(f"{__name__}.{module}"), function)
    return opener(spec, root)
