"""Writes what completion needs of each command (see `mlgit.cli.completions`), from the commands themselves."""

import json
from pathlib import Path
from typing import Any, Final

import click

from mlgit.cli import completions
from mlgit.cli.main import COMMANDS, cli
from mlgit.cli.names import NameType

FILE: Final = Path(completions.FILE)


def encoded() -> str:
    """Return the content of the file."""
    context = click.Context(cli)
    found = {name: described(_existing(cli, context, name), context) for name in COMMANDS}
    return json.dumps(found, indent=1) + "\n"


def described(command: click.Command, context: click.Context) -> dict[str, Any]:
    """Return what completion needs of a command; what is as usual is left out."""
    entry: dict[str, Any] = {"params": [_parameter(each) for each in command.params]}
    if command.context_settings:
        entry["settings"] = dict(command.context_settings)
    if isinstance(command, click.Group):
        inner = {name: _existing(command, context, name) for name in command.list_commands(context)}
        entry["commands"] = {
            name: described(each, context) | {"help": each.get_short_help_str()} for name, each in inner.items()
        }
    return entry


def _existing(group: click.Group, context: click.Context, name: str) -> click.Command:
    command = group.get_command(context, name)
    assert command is not None  # noqa: S101 - it was listed
    return command


def _parameter(parameter: click.Parameter) -> dict[str, Any]:
    words = [*parameter.opts, *parameter.secondary_opts] if isinstance(parameter, click.Option) else [parameter.name]
    entry: dict[str, Any] = {"words": words}
    if isinstance(parameter, click.Option):
        entry |= {"help": parameter.help} if parameter.help else {}
        entry |= {"flag": True} if parameter.is_flag else {}
        entry |= {"multiple": True} if parameter.multiple else {}
    if parameter.nargs != 1:
        entry["nargs"] = parameter.nargs
    match parameter.type:
        case NameType(names=names):
            entry["names"] = [kind.__name__ for kind in names]
        case click.Choice(choices=choices) if not getattr(parameter, "is_flag", False):
            entry["choices"] = list(choices)
        case click.Path(file_okay=is_file):
            entry["path"] = "file" if is_file else "dir"
    return entry
