"""Training again what was recorded: the stages of a commit, in a private checkout, on data that was handed over."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mlgit.edges import private
from mlgit.errors import refused
from mlgit.ops.kernel.ports.git import Tree

_DVC: Final = (sys.executable, "-m", "dvc", "repro", "--force", "--no-commit", "--no-run-cache")
_CONFIG: Final = "[core]\n    no_scm = True\n    analytics = False\n    autostage = False\n"
"""Replaces that of the commit: nothing is fetched or kept, so no remote and no credentials are needed."""


@contextmanager
def reproduced(
    tree: Tree, data: Mapping[str, Path], stages: Sequence[str], output: str, *, seconds: float
) -> Iterator[Path]:
    """Run stages, and all that they need, whatever was run before; give a file that they wrote, for a while.

    Args:
        tree: the files of the commit.
        data: content to put beside them, by path.
        stages: what to run.
        output: path of the file that is wanted.
        seconds: after which it is stopped.

    Raises:
        MlgitError: the stages did not succeed in time, or did not write the file (`reproduction-failed`).
        Inconclusive: there is no room for a checkout (`disk-io-failed`).
    """
    with private.folders() as (checkout, home):
        private.check_out(tree, checkout)
        for path, source in data.items():
            (checkout / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, checkout / path)
        (checkout / ".dvc").mkdir(exist_ok=True)
        (checkout / ".dvc/config").write_text(_CONFIG, encoding="utf-8")
        environment = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(home / "dvc")}
        ended = private.run(
            [*_DVC, "--", *stages], checkout, home, seconds=seconds, environment=environment, talks=True
        )
        written = checkout / output
        why = ended.why or ("" if written.is_file() and not written.is_symlink() else f"no stage wrote {output}")
        if why:
            raise refused(
                "reproduction-failed",
                f"commit {(tree.commit or '')[:12]} cannot be trained again here",
                why=why,
                fix="check out that commit, install the packages that it pins, and run `dvc repro --force` to see all of it",
            )
        yield written
