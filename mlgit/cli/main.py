"""The group, the global options and the one place where errors become words and exit codes.

Commands are imported when they are asked for: `mlgit --help` needs click and this module only.
"""

import gc
import os
import sys
from typing import Any, NamedTuple, NoReturn

import click

from mlgit import __version__


class _Entry(NamedTuple):
    section: str
    summary: str


_PATH, _LOOK, _SETUP = "The life of a model", "Look and check", "Set up and help"

COMMANDS: dict[str, _Entry] = {
    "init": _Entry(_SETUP, "Make a working project in a new folder."),
    "new": _Entry(_SETUP, "Draft a problem, dataset, model, environment or policy."),
    "doctor": _Entry(_SETUP, "Look over the set-up, and say how to put it right."),
    "explain": _Entry(_SETUP, "Explain a finding, a gate or a kind of file."),
    "schema": _Entry(_SETUP, "Print the JSON Schema of a kind of file."),
    "completion": _Entry(_SETUP, "Print the completion script of a shell."),
    "data": _Entry(_PATH, "Add data, and check it against its contract."),
    "train": _Entry(_PATH, "Run the pipeline that trains a model."),
    "register": _Entry(_PATH, "Make an immutable version of what was trained."),
    "renumber": _Entry(_PATH, "Give a version that is not merged yet another label."),
    "promote": _Entry(_PATH, "Propose a version for an environment."),
    "approve": _Entry(_PATH, "Agree to a proposed promotion, with a signature."),
    "merge": _Entry(_PATH, "Verify a promotion and merge it."),
    "apply": _Entry(_PATH, "Make environments run what the base branch says."),
    "observe": _Entry(_PATH, "See whether what was applied still runs as it was given."),
    "hold": _Entry(_PATH, "Hold a version back, or freeze what may not change."),
    "override": _Entry(_PATH, "Waive gates for one version, in an emergency."),
    "standing-approval": _Entry(_PATH, "Approve promotions in advance, until a stated time."),
    "auto-promote": _Entry(_PATH, "Promote what passes every gate, where people approved it in advance."),
    "recertify": _Entry(_PATH, "Propose that what runs is agreed to again."),
    "rollback": _Entry(_PATH, "Propose to go back to the last version that ran well."),
    "status": _Entry(_LOOK, "Show what runs where, and what is proposed."),
    "show": _Entry(_LOOK, "Show a model or a version."),
    "diff": _Entry(_LOOK, "Compare two versions."),
    "verify-push": _Entry(_SETUP, "Judge a push, as a hook of a Git server."),
    "ci": _Entry(_SETUP, "Judge a change, and say so, in a workflow of a forge."),
    "brief": _Entry(_LOOK, "Show what a reviewer of a promotion needs to know."),
    "approvals": _Entry(_LOOK, "Show who agreed to a promotion, and what is missing."),
    "queue": _Entry(_LOOK, "Show all open promotions, and the order in which they can be merged."),
    "log": _Entry(_LOOK, "Show the history of promotions and deployments."),
    "audit": _Entry(_LOOK, "Check again every promotion that there was, offline."),
    "why": _Entry(_LOOK, "Show why an environment runs what it runs."),
    "lineage": _Entry(_LOOK, "Show what a version was made from, and what became of data or code."),
    "bisect": _Entry(_LOOK, "Find the version with which a metric first got worse."),
    "at": _Entry(_LOOK, "Ask a command about another moment."),
    "gate": _Entry(_LOOK, "Judge a version by an environment's gates, changing nothing."),
    "policy": _Entry(_LOOK, "Try a policy on the promotions of the past."),
    "validate": _Entry(_LOOK, "Check every file of the project."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        import importlib  # noqa: PLC0415 - commands are imported when asked for

        command = importlib.import_module(f"mlgit.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 - each command module has one
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 - only for a wrong name

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " `mlgit --help` lists the commands."
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in (_PATH, _LOOK, _SETUP):
            rows = [(name, entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `mlgit init my-project`. Exit codes: 0 yes, 1 no, 2 wrong usage, 3 could not be judged, 4 a bug.",
)
@click.version_option(__version__, prog_name="mlgit", message="%(prog)s %(version)s")
@click.option("-C", "directory", metavar="DIR", default=".", help="Work in this folder.")
@click.pass_context
def cli(ctx: click.Context, directory: str) -> None:
    """The life of machine-learning models as versioned files in Git.

    Lifecycle state lives in the repository; a change of state is a pull request or a signed approval, and merging it is the
    act. Everything that was decided can be checked again from a clone.
    """
    if "NO_COLOR" in os.environ:
        ctx.color = False
    ctx.meta["mlgit.directory"] = directory


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(500_000, 20, 50)  # a command lives for a moment, and makes many small records that all stay
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. Nothing but SystemExit of the interpreter itself gets past this."""
    try:
        answer: Any = cli.main(args=arguments, prog_name="mlgit", standalone_mode=False)
    except click.exceptions.Exit as wish:
        return wish.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; nothing is half done. Run the command again to go on.", err=True)
        return 130
    except click.ClickException as misuse:
        misuse.show()
        return 2
    except BrokenPipeError:
        sys.stdout = None  # the reader is gone: nothing is left to flush to
        return 0
    except Exception as error:  # noqa: BLE001 - the one boundary
        from mlgit.cli import boundary  # noqa: PLC0415 - only where something went wrong

        return boundary.report(error, arguments)
    return int(answer or 0)
