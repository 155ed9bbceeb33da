"""What a shell needs of each command to complete a line, so that it imports no command: their parameters and subcommands.

`make docs` writes it from the commands into `completions.json`. From it, commands are made that complete as the real ones do,
and do nothing.
"""

import os
from typing import Any, Final

import click
import msgspec

from mlgit.cli.names import NameType, ProjectNames

FILE: Final = os.path.join(os.path.dirname(__file__), "completions.json")  # noqa: PTH118, PTH120 - no pathlib for it


def command(name: str) -> click.Command:
    """Return a command that completes as the one of that name does."""
    with open(FILE, "rb") as file:  # noqa: PTH123 - no pathlib for it
        return _command(name, msgspec.json.decode(file.read())[name])


def _command(name: str, entry: dict[str, Any]) -> click.Command:
    params, settings = [_parameter(each) for each in entry.get("params", [])], entry.get("settings")
    if "commands" not in entry:
        return click.Command(name, params=params, context_settings=settings, short_help=entry.get("help"))
    inner = {each: _command(each, described) for each, described in entry["commands"].items()}
    return click.Group(name, inner, params=params, context_settings=settings)


def _parameter(entry: dict[str, Any]) -> click.Parameter:
    nargs, kind = entry.get("nargs", 1), _type(entry)
    if entry["words"][0].startswith("-"):
        flags = {"is_flag": True} if "flag" in entry else {"type": kind, "nargs": nargs}
        return click.Option([*entry["words"]], multiple="multiple" in entry, help=entry.get("help"), **flags)
    return click.Argument(entry["words"], type=kind, nargs=nargs, required=False)


def _type(entry: dict[str, Any]) -> Any:
    if "choices" in entry:
        return click.Choice(entry["choices"])
    if "path" in entry:
        return click.Path(file_okay=entry["path"] == "file")
    if "names" in entry:
        return NameType("name", *(getattr(ProjectNames, kind) for kind in entry["names"]))
    return None
