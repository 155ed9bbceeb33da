"""The reference page of the commands, generated from their click definitions."""

import inspect
from collections.abc import Iterator
from typing import Any

import click

from mlgit.cli.main import COMMANDS, cli
from mlgit.errors import Exit
from tools.fields import cell


def page() -> str:
    """Return the page of all commands, by section."""
    context = click.Context(cli, info_name="mlgit")
    sections: dict[str, list[str]] = {}
    for name, entry in COMMANDS.items():
        sections.setdefault(entry.section, []).append(name)
    lines = [
        "# Commands",
        "",
        "Every command has `--help`, `--format` and `--json`. Options of `mlgit` itself come before the command:",
        "",
    ]
    lines += [*_options(cli), "", "| exit code | means |", "|---|---|"]
    lines += [f"| {int(code)} | {_EXITS[code]} |" for code in Exit]
    for section, names in sections.items():
        lines += ["", f"{section}: " + ", ".join(f"[{name}](#mlgit-{name})" for name in names)]
    for names in sections.values():
        for name in names:
            command = cli.get_command(context, name)
            assert command is not None  # noqa: S101 - it is in COMMANDS
            lines += _command(command, click.Context(command, info_name=name, parent=context), "##")
    return "\n".join(lines)


_EXITS = {
    Exit.YES: "yes: done, or nothing to do",
    Exit.NO: "no: findings, a gate that failed, a missing approval",
    Exit.USAGE: "usage error; nothing was done",
    Exit.INCONCLUSIVE: "inconclusive: Git, DVC, the disk or the network did not answer",
    Exit.BUG: "a bug of mlgit; the message says what to report",
    Exit.INTERRUPTED: "interrupted",
}


def _command(command: click.Command, context: click.Context, mark: str) -> Iterator[str]:
    text, _, sample = inspect.cleandoc(command.help or "").partition("\b\nExamples:\n")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from ("", f"{mark} {context.command_path}", "", text.strip(), "", "```text", usage, "```")
    if options := _options(command):
        yield from ("", *options)
    if sample:
        yield from ("", "```sh", inspect.cleandoc(sample), "```")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None  # noqa: S101 - it was listed
            yield from _command(inner, click.Context(inner, info_name=name, parent=context), mark + "#")


def _options(command: click.Command) -> list[str]:
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    if not options:
        return []
    rows = [f"| {_names(option)} | {cell(option.help or '')}{_default(option)} |" for option in options]
    return ["| option | meaning |", "|---|---|", *rows]


def _names(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    return names if option.is_flag else f"{names} `{cell(option.metavar or _metavar(option.type))}`"


def _metavar(kind: Any) -> str:
    if isinstance(kind, click.Choice):
        return " or ".join(map(str, kind.choices))
    return "N" if isinstance(kind, click.IntRange) else str(kind.name).upper()


def _default(option: click.Option) -> str:
    shown = option.show_default and option.default is not None
    required = " Required." if option.required else ""
    return f" Default: {option.default}.{required}" if shown else required
