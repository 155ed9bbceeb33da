"""The command group, its options, and the one place where errors become messages and exit codes.

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


_PREPARE, _PROMOTE, _EXCEPTIONS = "Data and versions", "Promotion", "Holds and signed exceptions"
_DELIVER, _READ, _HISTORY = "Delivery", "Show the current state", "History and audit"
_SETUP, _CI, _HELP = "Set up", "Git servers and CI", "Help"

COMMANDS: dict[str, _Entry] = {
    "init": _Entry(_SETUP, "Create a working project in a new folder."),
    "new": _Entry(_SETUP, "Draft a problem, dataset, model, environment or policy."),
    "upgrade": _Entry(_SETUP, "Write the lock that the workflows install mlgit from."),
    "doctor": _Entry(_SETUP, "Check the set-up, and show how to fix it."),
    "data": _Entry(_PREPARE, "Add data, and check it against its contract."),
    "train": _Entry(_PREPARE, "Run the pipeline that trains a model."),
    "register": _Entry(_PREPARE, "Register what was trained as an immutable version."),
    "renumber": _Entry(_PREPARE, "Change the number of a version that is not merged yet."),
    "download": _Entry(_PREPARE, "Download the files of a version."),
    "upload": _Entry(_PREPARE, "Upload the files of versions that the DVC remote lacks."),
    "gate": _Entry(_PROMOTE, "Evaluate the gates of an environment for a version."),
    "promote": _Entry(_PROMOTE, "Propose a version for an environment."),
    "brief": _Entry(_PROMOTE, "Show what a reviewer of a promotion needs to know."),
    "approve": _Entry(_PROMOTE, "Approve a promotion or a change of rules, with a signature."),
    "approvals": _Entry(_PROMOTE, "Show who approved a promotion, and who is missing."),
    "queue": _Entry(_PROMOTE, "List open promotions, in the order in which they can be merged."),
    "merge": _Entry(_PROMOTE, "Verify a promotion or a change of rules, and merge it."),
    "withdraw": _Entry(_PROMOTE, "Withdraw an open proposal."),
    "auto-promote": _Entry(_PROMOTE, "Promote what passes every gate under a standing approval."),
    "recertify": _Entry(_PROMOTE, "Propose re-approval of what runs."),
    "rollback": _Entry(_PROMOTE, "Propose to go back to the last version that ran well."),
    "hold": _Entry(_EXCEPTIONS, "Block a version, or freeze an environment."),
    "override": _Entry(_EXCEPTIONS, "Waive gates for one version, in an emergency."),
    "standing-approval": _Entry(_EXCEPTIONS, "Approve promotions in advance, for a limited time."),
    "apply": _Entry(_DELIVER, "Make environments run what the base branch says."),
    "observe": _Entry(_DELIVER, "Check deployments for drift."),
    "status": _Entry(_READ, "Show what runs where, and what is proposed."),
    "show": _Entry(_READ, "Show a model or a version."),
    "diff": _Entry(_READ, "Compare two versions."),
    "why": _Entry(_READ, "Show why an environment runs what it runs."),
    "validate": _Entry(_READ, "Check every file of the project."),
    "log": _Entry(_HISTORY, "Show the history of promotions and deployments."),
    "lineage": _Entry(_HISTORY, "Trace a version to its data and code, or data and code to versions."),
    "bisect": _Entry(_HISTORY, "Find the version that made a metric worse."),
    "policy": _Entry(_HISTORY, "Try a policy on past promotions."),
    "audit": _Entry(_HISTORY, "Verify every past promotion, offline."),
    "at": _Entry(_HISTORY, "Run a read-only command as of another time."),
    "ci": _Entry(_CI, "Run the checks of a CI workflow."),
    "verify-push": _Entry(_CI, "Verify a push, as a hook of a Git server."),
    "explain": _Entry(_HELP, "Explain a finding, a family of findings, a gate or a kind of file."),
    "schema": _Entry(_HELP, "Print the JSON Schema of a kind of file."),
    "completion": _Entry(_HELP, "Print the completion script of a shell."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if ctx.resilient_parsing:  # a line is being completed
            from mlgit.cli.completions import command as described  # noqa: PLC0415 - only while completing

            return described(cmd_name)
        import importlib  # noqa: PLC0415 - commands are imported when asked for

        command = importlib.import_module(f"mlgit.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 - each command module has one
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only while completing

        # From the table: click itself would import every command for its help.
        named = [(name, entry.summary) for name, entry in COMMANDS.items() if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=summary) for name, summary in named]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from mlgit.cli.suggestions import suggest  # noqa: PLC0415 - only for a wrong name

            meant = [f"`mlgit {name}` ({COMMANDS[name].summary.rstrip('.')})" for name in suggest(args[0], COMMANDS)]
            hint = f" Did you mean {' or '.join(meant)}?" if meant else " `mlgit --help` lists the commands."
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name, entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `mlgit init my-project`. Exit codes: 0 yes, 1 no, 2 usage error, 3 inconclusive, 4 a bug.",
)
@click.version_option(__version__, prog_name="mlgit", message="%(prog)s %(version)s")
@click.option("-C", "directory", metavar="DIR", default=".", help="Run as if started in this folder.")
@click.pass_context
def cli(ctx: click.Context, directory: str) -> None:
    """Manage the lifecycle of machine-learning models as versioned files in Git.

    The state of every model lives in the repository. A change of state is a pull request or a signed approval, and takes effect
    when it is merged. Every past decision can be verified from a clone.
    """
    if "NO_COLOR" in os.environ:
        ctx.color = False
    if not os.path.isdir(directory or "."):  # noqa: PTH112 - pathlib need not be loaded for it
        from mlgit.errors import usage_error  # noqa: PLC0415 - only where something is wrong

        raise usage_error(
            "folder-missing",
            f"{directory} is not a folder",
            why="it is a file" if os.path.exists(directory) else "there is no such file or directory",  # noqa: PTH110
            fix="give -C the path of the project's folder",
        )
    ctx.meta["mlgit.directory"] = directory


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(500_000, 20, 50)  # a command lives for a moment, and makes many small records that all stay
    sys.exit(run(sys.argv[1:]))


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse an argument or a value of an option without content, as a variable of a shell that is not set leaves it."""
    for index, word in enumerate(arguments):
        if word == "" or (word.startswith("--") and word.endswith("=") and word.count("=") == 1):
            what = f"{word[:-1]} has no value" if word else f"argument {index + 1} is empty"
            raise click.UsageError(f"{what}. Leave it out, or say what is meant.")


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. Only SystemExit of the interpreter itself gets past this."""
    try:
        _refuse_empty(arguments)
        answer: Any = cli.main(args=arguments, prog_name="mlgit", standalone_mode=False)
    except click.exceptions.Exit as early:
        return early.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; nothing is half done. Run the command again to continue.", err=True)
        return 130
    except click.ClickException as usage_error:
        usage_error.show()
        return 2
    except BrokenPipeError:
        sys.stdout = None  # the reader is gone: nothing is left to flush to
        return 0
    except Exception as error:  # noqa: BLE001 - the one boundary
        from mlgit.cli import boundary  # noqa: PLC0415 - only where something went wrong

        return boundary.report(error, arguments)
    return int(answer or 0)
