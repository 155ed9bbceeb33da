"""Types and options that commands share, made from the words of the domain."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.errors import MlgitError

F = TypeVar("F", bound=Callable[..., Any])


class VersionType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A version, `churn@10`; completed from the versions that there are."""

    name = "version"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> VersionRef:
        """Read `MODEL@N`."""
        return value if isinstance(value, VersionRef) else VersionRef.parse(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Offer every version of every model."""
        return _offer(
            ctx,
            incomplete,
            lambda state: [f"{m}@{n}" for m, ns in state.numbers_of(state.models()).items() for n in ns],
        )


class NameType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """The name of a model or an environment; completed from those that there are."""

    name = "name"

    def __init__(self, noun: str) -> None:
        self.name = noun

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Offer every name of this noun."""
        return _offer(ctx, incomplete, lambda state: state.models() if self.name == "model" else state.environments())


VERSION = VersionType()
MODEL = NameType("model")
ENVIRONMENT = NameType("environment")


def session_command(function: F) -> F:
    """Give a command the option `--json` and, as its first argument, the session."""

    @click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
    @click.pass_context
    @wraps(function)
    def command(ctx: click.Context, /, *args: Any, as_json: bool, **kwargs: Any) -> Any:
        return function(_session(ctx, as_json=as_json), *args, **kwargs)

    return command  # type: ignore[return-value]  # click reads the wrapped signature


def at_option(function: F) -> F:
    """Give a reading command the option `--at REV`."""
    return click.option("--at", metavar="REV", help="Read a commit, a branch, a tag or a date (2026-03-31) instead.")(
        function
    )


def dry_run_option(function: F) -> F:
    """Give a command that changes things the option `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")(function)


def _session(ctx: click.Context, *, as_json: bool) -> Session:
    return Session(Path(ctx.find_root().meta["mlgit.directory"]), as_json=as_json)


def _offer(ctx: click.Context, incomplete: str, names: Callable[[Any], list[str]]) -> list[Any]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only while completing

    from mlgit.ops.kernel import snapshot  # noqa: PLC0415 - only while completing

    directory: Path = ctx.find_root().params.get("directory") or Path()
    try:
        _, state = snapshot.base_of(Session(directory))
        return [CompletionItem(name) for name in names(state) if name.startswith(incomplete)]
    except MlgitError:
        return []  # completing never complains
