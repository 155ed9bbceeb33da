"""The pipeline that DVC runs: set parameters, reproduce stages, read metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mlgit.edges.dvc import freshness, lockfile, parameters, workspace
from mlgit.edges.dvc.declared import read_declared
from mlgit.edges.formats import yamlfile
from mlgit.edges.known_hashes import KnownHashes
from mlgit.errors import Inconclusive, MlgitError


class DvcPipeline:
    """The stages of `dvc.yaml` in a checkout."""

    lock_file: Final = lockfile.LOCK

    def __init__(self, root: Path, hashes: KnownHashes | None = None) -> None:
        """Take the root of the checkout, and hashes of files that are known."""
        self._root = root
        self._hashes = hashes or KnownHashes()

    def out_of_date(self, stages: Sequence[str]) -> list[str]:
        """Return what changed since the last run of the stages and those that they need; see `freshness.out_of_date`."""
        return freshness.out_of_date(self._root, stages, self._hashes)

    def metrics(self, stages: Sequence[str]) -> dict[str, float]:
        """Return the numbers in the metrics files of stages; empty if dvc.yaml or a file cannot be read here."""
        try:
            declared = read_declared(self._root)
            files = sorted({file for name in stages for file in declared[name].measures()})
            contents = [yamlfile.parse((self._root / file).read_bytes(), file).value for file in files]
        except (MlgitError, msgspec.ValidationError, KeyError, OSError):
            return {}
        return {key: number for content in contents for key, number in _numbers(content)}

    def reproduce(self, stages: Sequence[str], settings: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Set parameters, and let DVC run all stages that are out of date; DVC is not started if none is.

        Args:
            stages: the stages to bring up to date, after those that they need.
            settings: parameters, as for `parameters.setting`.
            on_line: called with each line of output of DVC and the stages while they run, without its end.

        Returns:
            0 if all stages are up to date now, else 1; the output has the error, and the parameters are as they were before.

        Raises:
            UsageError: a parameter cannot be set (as for `parameters.setting`); nothing was changed.
            Inconclusive: DVC cannot be started; or another run sets parameters now (`train-running`).
        """
        with parameters.setting(self._root, settings, on_line) as keep:
            if freshness.is_up_to_date(self._root, stages, self._hashes):
                on_line("Data and pipelines are up to date.")
                keep()
                return 0
            try:
                for line in _without_advice(workspace.dvc_lines(self._root, "repro", "--", *stages)):
                    on_line(line)
            except Inconclusive as error:
                if error.findings[0].id != "tool-failed":
                    raise
                return 1
            keep()
        return 0


def _numbers(content: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a document, each by its dotted key."""
    if isinstance(content, dict):
        for key, inner in content.items():
            yield from _numbers(inner, f"{prefix}{key}.")
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield prefix.removesuffix("."), float(content)


def _without_advice(lines: Iterable[str]) -> Iterator[str]:
    """Yield DVC's output without the advice at its end on `git add` and `dvc push`, which `mlgit register` does."""
    in_advice = False
    for line in lines:
        in_advice = in_advice or line.startswith(("To track the changes with git, run:", "Use `dvc push`"))
        if not in_advice:
            yield line
