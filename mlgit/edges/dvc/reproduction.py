"""Reproduction: run the stages of a commit again, in a private checkout, on given data."""

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
"""Replaces the configuration of the commit: nothing is fetched or stored, so no remote and no credentials are needed."""


@contextmanager
def reproduced(
    tree: Tree, data: Mapping[str, Path], stages: Sequence[str], output: str, *, seconds: float
) -> Iterator[Path]:
    """Run stages and the stages that they need, without DVC's run cache; yield a file that they wrote.

    Args:
        tree: the files of the commit.
        data: files to copy into the checkout, by their path in it.
        stages: the stages to run.
        output: path of the file to yield; it is removed afterwards.
        seconds: time after which DVC is killed.

    Raises:
        MlgitError: the stages failed, took too long, or did not write the file (`reproduction-failed`).
        Inconclusive: the checkout cannot be written (`disk-io-failed`).
    """
    with private.folders() as (checkout, home):
        private.check_out(tree, checkout)
        for path, source in data.items():
            (checkout / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, checkout / path)
        (checkout / ".dvc").mkdir(exist_ok=True)
        (checkout / ".dvc/config").write_text(_CONFIG, encoding="utf-8")
        environment = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(home / "dvc")}
        exited = private.run(
            [*_DVC, "--", *stages], checkout, home, seconds=seconds, environment=environment, stdout_is_log=True
        )
        written = checkout / output
        # A symbolic link could make any file of this machine pass as the output.
        is_file = written.is_file() and not written.is_symlink()
        why = exited.why or ("" if is_file else f"no stage wrote {output}")
        if why:
            raise refused(
                "reproduction-failed",
                f"commit {(tree.commit or '')[:12]} cannot be reproduced here",
                why=why,
                fix="check out that commit, install the packages that it pins, and run `dvc repro --force`",
            )
        yield written
