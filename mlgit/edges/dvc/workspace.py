"""DVC in a checkout: its configuration, and `dvc` as a process."""

import importlib
import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from mlgit.domain.rules.texts import CREDENTIALS
from mlgit.edges import process
from mlgit.errors import MlgitError, inconclusive, refused

MINIMUM: Final = (3, 59)
"""The oldest supported release of DVC; pyproject.toml requires the same."""

_DVC: Final = (sys.executable, "-m", "dvc")
_TIMEOUT: Final = 86_400.0
"""Seconds that DVC may take: it may have to hash or copy a lot."""
_IGNORE: Final = "/config.local\n/tmp\n/cache\n"


def require() -> None:
    """Check that a supported DVC is installed; to be called before DVC is imported or run.

    Raises:
        Inconclusive: it is not installed, or cannot be imported (`dvc-missing`), or is too old (`dvc-too-old`).
    """
    minimum = ".".join(map(str, MINIMUM))
    command = f'`{sys.executable} -m pip install "dvc>={minimum}"`'
    try:
        version = importlib.import_module("dvc").__version__
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < MINIMUM:
            raise inconclusive(
                "dvc-too-old",
                f"DVC {version} is too old for mlgit",
                why=f"it needs DVC {minimum} or newer",
                fix=f"run {command}",
            )
        importlib.import_module("dvc.config")
        importlib.import_module("dvc.fs")
    except (ImportError, AttributeError) as error:  # a folder called `dvc` can be imported too, but has no version
        why = f"{error}; mlgit needs DVC {minimum} or newer"
        raise inconclusive(
            "dvc-missing", "DVC is not installed, or incompletely", why=why, fix=f"run {command}"
        ) from error


def configuration(root: Path | None) -> dict[str, Any]:
    """Read DVC's configuration of all levels, from the system's to `.dvc/config.local`, with absolute paths.

    Raises:
        MlgitError: DVC is not set up there (`dvc-missing`), or its configuration cannot be read (`dvc-config-invalid`).
        Inconclusive: there is no supported DVC (as `require`).
    """
    if root is None:
        raise refused(
            "dvc-missing",
            "a bare repository has no data",
            why="DVC needs a checkout for its configuration and cache",
            fix="run this in a clone that has its files checked out",
        )
    if not (root / ".dvc").is_dir():
        raise refused(
            "dvc-missing",
            f"DVC is not set up in {root}",
            why="there is no folder .dvc",
            fix="run `mlgit init`, or `dvc init` and `dvc remote add`",
        )
    require()
    from dvc.config import Config, ConfigError  # noqa: PLC0415 - takes 0.1 s

    try:
        return cast("dict[str, Any]", Config(dvc_dir=str(root / ".dvc")))
    except ConfigError as error:
        raise broken_configuration() from error


def broken_configuration() -> MlgitError:
    """Return the error for a configuration that DVC rejects. It is not quoted, since it may contain credentials."""
    return refused(
        "dvc-config-invalid",
        "DVC's configuration cannot be used",
        fix="run `dvc config --list` to see the error",
    )


def initialise(root: Path, remote: str, location: str) -> list[str]:
    """Set up DVC with a default remote; existing files and settings are not changed.

    If the new remote is a folder, it is made here and nowhere else: an upload refuses a folder that does not exist.

    `dvc init` is not used, because it would stage files in the index and takes a second.

    Args:
        root: the checkout.
        remote: the name of the remote.
        location: a URL, or a folder, relative to `root` or absolute.

    Returns:
        The paths of written files, from the root.

    Raises:
        MlgitError: the existing configuration cannot be read (`dvc-config-invalid`).
        Inconclusive: there is no supported DVC (as `require`); nothing was written.
    """
    require()
    from dvc.config import Config, ConfigError  # noqa: PLC0415 - takes 0.1 s
    from dvc.config_schema import RelPath  # noqa: PLC0415

    folder, written = root / ".dvc", []
    folder.mkdir(exist_ok=True)
    if not (ignore := folder / ".gitignore").exists():
        ignore.write_text(_IGNORE, encoding="utf-8")
        written.append(".dvc/.gitignore")
    remote_folder = None if "://" in location else (root / location).absolute()
    if remote_folder is not None and not Path(location).is_absolute():
        location = RelPath(remote_folder)
    try:
        config = Config(dvc_dir=str(folder))
        if remote in config.load_one("repo")["remote"]:
            return written
        if remote_folder is not None:
            with suppress(OSError):  # if this fails, the first upload says so
                remote_folder.mkdir(parents=True, exist_ok=True)
        with config.edit("repo") as levels:
            levels["core"] = {"analytics": False, "autostage": False, "remote": remote} | levels["core"]
            levels["remote"][remote] = {"url": location, "verify": True}
    except ConfigError as error:
        raise broken_configuration() from error
    return [*written, ".dvc/config"]


def default_remote(root: Path) -> str | None:
    """Return the name of the default remote of a checkout, or of its only one; None if there is none.

    Raises:
        MlgitError: the configuration cannot be read (`dvc-config-invalid`).
        Inconclusive: there is no supported DVC (as `require`).
    """
    if not (root / ".dvc" / "config").is_file():
        return None
    settings = configuration(root)
    remotes = list(settings["remote"])
    default = settings["core"].get("remote") or (remotes[0] if len(remotes) == 1 else None)
    return default if default in remotes else None


def remote_settings(root: Path, name: str) -> tuple[str, bool, list[str]]:
    """Return the kind of a remote, whether DVC verifies downloads from it, and which credentials are committed.

    Args:
        root: the checkout.
        name: the name of the remote.

    Returns:
        The scheme of its URL (`folder` without one), the setting `verify`, and the names of the settings in `.dvc/config`
        that are credentials; never their values.

    Raises:
        MlgitError: there is no such remote (`dvc-remote-unknown`), or as `configuration`.
    """
    remotes = configuration(root)["remote"]
    if name not in remotes:
        raise remote_missing(name, remotes)
    from dvc.config import Config, ConfigError  # noqa: PLC0415 - takes 0.1 s

    try:
        shared = Config(dvc_dir=str(root / ".dvc")).load_one("repo")["remote"].get(name, {})
    except ConfigError as error:
        raise broken_configuration() from error
    committed = sorted(key for key, value in shared.items() if key in CREDENTIALS and value)
    if urlsplit(str(shared.get("url", ""))).password:
        committed.append("the password in url")
    scheme = urlsplit(str(remotes[name].get("url", ""))).scheme
    return scheme or "folder", bool(remotes[name].get("verify")), committed


def remote_missing(name: str, remotes: Collection[str]) -> MlgitError:
    """Return the error for a remote that DVC's configuration does not have."""
    return refused(
        "dvc-remote-unknown",
        f'there is no DVC remote "{name}"',
        why=f"the DVC configuration has {' and '.join(sorted(remotes)) or 'no remotes'}",
        fix=f"set one of those in mlgit.yaml, or run `dvc remote add {name} URL`",
    )


def add(root: Path, path: str) -> str:
    """Add a file or folder to DVC, and return the path of its pointer. Adding unchanged data again changes nothing.

    Args:
        root: the checkout.
        path: the file or folder, from the root.

    Raises:
        Inconclusive: DVC failed (`dvc-failed`); the finding has its message.
    """
    dvc(root, "add", "--", path)
    return f"{path.rstrip('/')}.dvc"


def dvc(root: Path, *arguments: str) -> bytes:
    """Run DVC and return its stdout.

    Raises:
        Inconclusive: it failed (`dvc-failed`), or there is no supported DVC (as `require`).
    """
    require()
    result = process.run([*_DVC, *arguments], cwd=root, env=_environment(), timeout=_TIMEOUT, check=False)
    if result.code:
        raise inconclusive(
            "dvc-failed",
            f"`dvc {arguments[0]}` failed",
            why=_reason(result.stderr),
            fix=f"run `dvc {arguments[0]}` to see its full output",
        )
    return result.stdout


def dvc_lines(root: Path, *arguments: str) -> Iterator[str]:
    """Run DVC and yield each line of output of DVC and the stages, while they run.

    Raises:
        Inconclusive: it failed (`tool-failed`), or there is no supported DVC (as `require`).
    """
    require()
    return process.lines([*_DVC, *arguments], cwd=root, env=_environment())


def _environment() -> dict[str, str]:
    """Return the environment for DVC: without analytics, and with unbuffered output of Python stages."""
    return os.environ | {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


def _reason(stderr: str) -> str:
    """Return DVC's error message: its first line that begins with ERROR."""
    return next((line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")), "")
