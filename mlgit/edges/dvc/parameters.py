"""Set values in parameter files for one run of the pipeline, which keeps them only if it succeeds."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from mlgit.edges.formats import yamlfile, yamlscalars
from mlgit.errors import Inconclusive, UsageError, inconclusive, usage_error

_PARAMS: Final = "params.yaml"
_JOURNAL: Final = ".dvc/tmp/mlgit-params.json"
"""What a run changed; it exists only while one runs, or after one was killed. Git ignores this folder of DVC's."""


class _Change(msgspec.Struct, frozen=True):
    """The text of a parameter file before and after the change."""

    before: bytes
    after: bytes


@contextmanager
def setting(root: Path, settings: Mapping[str, str], on_line: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Write values into parameter files, and restore the files at the end unless they are to be kept.

    Comments stay, as with `dvc exp run -S`, but there is no experiment. A file that somebody edits in the meantime is left
    alone. What a killed run has changed is restored first.

    Args:
        root: the checkout.
        settings: values as YAML scalars (`0.1`, `true`, `text`) by dotted key: `train.lr` for params.yaml, or
            `other.yaml:train.lr` for another file.
        on_line: called with a line for each file that is restored.

    Yields:
        A function to call when the values are to be kept.

    Raises:
        UsageError: there is no such parameter (`param-unknown`), or the value is not a finite number
            (`param-value-invalid`). Nothing was changed.
        MlgitError: a parameter file cannot be read.
        Inconclusive: another run has set parameters and has not ended (`train-running`), or the disk is full
            (`disk-io-failed`).
    """
    journal = root / _JOURNAL
    with _lock(journal.with_suffix(".lock")) as is_only_one:
        if not is_only_one:
            if settings:
                raise _running()
            yield lambda: None
            return
        _restore(root, journal, on_line, "an earlier run with --set was killed")
        changes = _changed_texts(root, settings)
        if not changes:
            yield lambda: None
            return
        is_kept = False

        def keep() -> None:
            nonlocal is_kept
            is_kept = True

        _replace(journal, msgspec.json.encode(changes))
        try:
            for file, change in changes.items():
                _replace(root / file, change.after)
            yield keep
        finally:
            if is_kept:
                journal.unlink()
            else:
                _restore(root, journal, on_line, "the run did not succeed")


def _restore(root: Path, journal: Path, on_line: Callable[[str], None], why: str) -> None:
    """Give back their previous text to files that still have the text of the journal, and remove it."""
    try:
        changes = msgspec.json.decode(journal.read_bytes(), type=dict[str, _Change])
    except FileNotFoundError:
        return
    except msgspec.MsgspecError:
        changes = {}  # not written by this program; it has nothing to say
    for file, change in changes.items():
        path = root / file
        if path.is_file() and path.read_bytes() == change.after:
            _replace(path, change.before)
            on_line(f"{file} is as it was before: {why}")
    journal.unlink()


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Yield whether no other process has the lock; it is released when the process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise _disk_failed(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _changed_texts(root: Path, settings: Mapping[str, str]) -> dict[str, _Change]:
    """Return the changes of the files in which a value differs; nothing is written."""
    files: dict[str, dict[str, Any]] = {}
    for name, text in settings.items():
        file, _, key = name.rpartition(":")
        files.setdefault(file or _PARAMS, {})[key] = _parsed(name, text)
    differing = {file: _differing(root, file, values) for file, values in files.items()}
    return {file: _edited(root / file, values) for file, values in differing.items() if values}


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically, with the permissions that it has."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            partial.chmod(path.stat().st_mode)
        partial.replace(path)
    except OSError as error:
        raise _disk_failed(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _parsed(name: str, text: str) -> Any:
    try:
        return yamlscalars.resolve(text)
    except yamlscalars.NotFinite as error:
        raise usage_error(
            "param-value-invalid",
            f"{name} cannot be {text[:40]}",
            why="it is not a finite number",
            fix="give a finite number",
        ) from error


def _differing(root: Path, file: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that differ from the file, which must have every key."""
    try:
        current = yamlfile.parse((root / file).read_bytes(), file).value
    except OSError as error:
        raise _unknown(file, next(iter(values)), f"{file} cannot be read") from error
    return {key: value for key, value in values.items() if _value(current, file, key) != value}


def _value(parameters: Any, file: str, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(parameters, dict) or part not in parameters:
            names = f"the keys {', '.join(parameters)}" if isinstance(parameters, dict) else "a single value"
            raise _unknown(file, key, f"{part!r} is missing; the file has {names} there")
        parameters = parameters[part]
    if isinstance(parameters, dict):
        raise _unknown(file, key, f"{key} is a group of {', '.join(parameters)}")
    return parameters


def _unknown(file: str, key: str, why: str) -> UsageError:
    return usage_error(
        "param-unknown", f"{file} has no parameter {key}", why=why, fix=f"use an existing one, or add it to {file}"
    )


def _edited(path: Path, values: Mapping[str, Any]) -> _Change:
    """Return the text of a parameter file with other values, its comments kept."""
    from dvc.utils.serialize import MODIFIERS  # noqa: PLC0415 - takes 0.1 s; the strict writer keeps no comments

    before = path.read_bytes()
    draft = path.with_name(f".{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        draft.write_bytes(before)
        with MODIFIERS[path.suffix](draft) as document:
            for key, value in values.items():
                *parents, last = key.split(".")
                inner = document
                for part in parents:
                    inner = inner[part]
                inner[last] = value
        return _Change(before, draft.read_bytes())
    except OSError as error:
        raise _disk_failed(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _running() -> Inconclusive:
    return inconclusive(
        "train-running",
        "another `mlgit train` runs here",
        why="two runs in one work tree would set each other's parameters",
        fix="wait until it has ended, or use another clone or worktree",
    )


def _disk_failed(path: Path, error: OSError) -> Inconclusive:
    fix = "free some space or correct the permissions, then run it again"
    return inconclusive("disk-io-failed", f"{path} cannot be written", why=error.strerror or "", fix=fix)
