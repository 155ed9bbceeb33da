"""Prints errors for people and programs, and converts them to exit codes."""

import sys
import traceback
from itertools import pairwise

import click
import msgspec

from mlgit import __version__
from mlgit.cli.render import json, text
from mlgit.errors import Exit, Finding, MlgitError


class ErrorReport(msgspec.Struct, frozen=True, tag_field="schema", tag="mlgit/error.v1"):
    """The output of a command that failed."""

    exit: int
    findings: list[Finding]


def report(error: Exception, arguments: list[str]) -> int:
    """Print an error, as JSON to stdout if that was requested, otherwise as text to stderr; return the exit code."""
    if not isinstance(error, MlgitError):
        return _report_bug(error)
    if _requests_json(arguments):
        click.echo(json.document(ErrorReport(error.exit, list(error.findings))))
    else:
        click.echo("\n\n".join(text.finding(finding) for finding in error.findings), err=True)
    return int(error.exit)


def _requests_json(arguments: list[str]) -> bool:
    return bool({"--json", "--format=json"}.intersection(arguments)) or ("--format", "json") in pairwise(arguments)


def _report_bug(error: Exception) -> int:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    click.echo("".join(traceback.format_exception(error)), err=True)
    bug = Finding(
        "internal-error",
        f"mlgit {__version__} failed unexpectedly: {type(error).__name__}",
        why=f"{frame.name} in {frame.filename}:{frame.lineno}, on Python {sys.version.split()[0]}",
        fix="no file is partly written; please report the lines above together with the command",
    )
    click.echo(text.finding(bug), err=True)
    return int(Exit.BUG)
