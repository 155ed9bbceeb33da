"""Shows errors to people and programs, and turns them into exit codes."""

import sys
import traceback
from itertools import pairwise

import click
import msgspec

from mlgit import __version__
from mlgit.cli.render import text
from mlgit.errors import Exit, Finding, MlgitError


class Refusal(msgspec.Struct, frozen=True, tag_field="schema", tag="mlgit/error.v1"):
    """The answer of a command that could not do what it was asked."""

    exit: int
    findings: list[Finding]


def report(error: Exception, arguments: list[str]) -> int:
    """Show an error, as a document on stdout where JSON was asked for, else on stderr; return the exit code."""
    if not isinstance(error, MlgitError):
        return _report_bug(error)
    if _asks_for_json(arguments):
        refusal = Refusal(error.exit, list(error.findings))
        click.echo(msgspec.json.format(msgspec.json.encode(refusal), indent=2))
    else:
        click.echo("\n\n".join(text.finding(finding) for finding in error.findings), err=True)
    return int(error.exit)


def _asks_for_json(arguments: list[str]) -> bool:
    return bool({"--json", "--format=json"}.intersection(arguments)) or ("--format", "json") in pairwise(arguments)


def _report_bug(error: Exception) -> int:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    click.echo("".join(traceback.format_exception(error)), err=True)
    bug = Finding(
        "internal-error",
        f"mlgit {__version__} met something that it was not made for: {type(error).__name__}",
        why=f"{frame.name} in {frame.filename}:{frame.lineno}, on Python {sys.version.split()[0]}",
        fix="nothing is half written; please report the lines above together with the command",
    )
    click.echo(text.finding(bug), err=True)
    return int(Exit.BUG)
