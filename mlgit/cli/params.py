"""Types of arguments and options that several commands use."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from mlgit.cli.names import NameType, ProjectNames
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef, is_name
from mlgit.errors import usage_error

F = TypeVar("F", bound=Callable[..., Any])


class Place(NamedTuple):
    """An environment, and a model in it; without a model, all models of the environment."""

    environment: str
    model: str | None


class PlacedVersion(NamedTuple):
    """A version in an environment."""

    environment: str
    version: VersionRef


class ReasonType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A text that says why; it is recorded, so it cannot be blank."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a blank text."""
        if not value.strip():
            self.fail("it is blank: say why, in a few words", param, ctx)
        return value


class VersionType(NameType):
    """A version, `churn@10`; completed from the registered versions."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> VersionRef:
        """Read `MODEL@N`."""
        return value if isinstance(value, VersionRef) else VersionRef.parse(value)


class VersionOrModelType(VersionType):
    """A version, or the name of a model for its newest version; completed from both."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read `MODEL@N`; leave a name as it is."""
        return value if isinstance(value, str) and is_name(value) else super().convert(value, param, ctx)


class PlaceType(NameType):
    """An environment or a model in it, `production` or `production/churn`; completed from the existing ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read `ENV` or `ENV/MODEL`."""
        if isinstance(value, Place):
            return value
        if "@" in value:
            raise usage_error(
                "place-invalid",
                f"{value!r} names a version, and this command takes none",
                why="it is about whatever version runs there",
                fix=f"leave out @N: {value.partition('@')[0]}",
            )
        environment, slash, model = value.partition("/")
        if not environment or bool(slash) != bool(model) or "/" in model:
            raise usage_error(
                "place-invalid",
                f"{value!r} does not name an environment, or a model in one",
                fix="write it as ENV/MODEL, for example production/churn, or as ENV",
            )
        return Place(environment, model or None)


class ModelPlaceType(PlaceType):
    """A model in an environment, `production/churn`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read `ENV/MODEL`."""
        place = super().convert(value, param, ctx)
        if place.model is None:
            raise usage_error(
                "place-invalid",
                f"{value!r} does not name a model in an environment",
                fix="write it as ENV/MODEL, for example production/churn",
            )
        return place


class PlacedVersionType(NameType):
    """A version in an environment, `production/churn@11`; completed from the registered versions."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PlacedVersion:
        """Read `ENV/MODEL@N`."""
        if isinstance(value, PlacedVersion):
            return value
        environment, slash, version = value.partition("/")
        if not environment or not slash:
            raise usage_error(
                "place-invalid",
                f"{value!r} does not name a version in an environment",
                fix="write it as ENV/MODEL@N, for example production/churn@11",
            )
        return PlacedVersion(environment, VersionRef.parse(version))


class HoldableType(PlacedVersionType):
    """The subject of a hold: an environment, a model or a version in it; completed from the existing ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text unchanged: its form depends on `--everywhere`, which is another option."""
        return value


REASON = ReasonType()
VERSION = VersionType("version", ProjectNames.versions)
VERSION_OR_MODEL = VersionOrModelType("version", ProjectNames.models, ProjectNames.versions)
MODEL = NameType("model", ProjectNames.models)
ENVIRONMENT = NameType("environment", ProjectNames.environments)
DATASET = NameType("dataset", ProjectNames.datasets)
PROBLEM = NameType("problem", ProjectNames.problems)
POLICY = NameType("policy", ProjectNames.policies)
HOLD = NameType("hold", ProjectNames.holds)
OVERRIDE = NameType("override", ProjectNames.overrides)
STANDING_APPROVAL = NameType("standing approval", ProjectNames.standing_approvals)
GATE = NameType("gate", ProjectNames.gates)
TOPIC = NameType("topic", ProjectNames.topics)
REVISION = NameType("revision", ProjectNames.revisions)
SHOWABLE = NameType("model or version", ProjectNames.models, ProjectNames.versions)
SUBJECT = NameType("version", ProjectNames.versions)
PLACE = PlaceType("place", ProjectNames.places)
MODEL_PLACE = ModelPlaceType("place", ProjectNames.model_places)
PLACED_VERSION = PlacedVersionType("placed version", ProjectNames.placed_versions)
HOLDABLE = HoldableType("subject", ProjectNames.places, ProjectNames.placed_versions)
PROMOTION = NameType("promotion", ProjectNames.promotions)
FILE = click.Path(path_type=Path, dir_okay=False)


def session_command(function: F) -> F:
    """Add the options `--format` and `--json` to a command, and pass it the session as its first argument.

    A command with more formats has `format_option` below this, and gets the chosen format as `form`.
    """
    has_formats = any(option.name == "form" for option in getattr(function, "__click_params__", ()))

    @click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
    @click.pass_context
    @wraps(function)
    def command(ctx: click.Context, /, *args: Any, as_json: bool, form: str, **kwargs: Any) -> Any:
        form = "json" if as_json else form
        if has_formats:
            kwargs["form"] = form
        return function(_session(ctx, as_json=form == "json"), *args, **kwargs)

    return command if has_formats else format_option()(command)  # type: ignore[return-value]  # click reads the wrapped signature


def format_option(*formats: str) -> Callable[[F], F]:
    """Add the option `--format`, with more formats than text and JSON; to be put directly below `session_command`."""
    return click.option(
        "--format", "form", type=click.Choice(["text", "json", *formats]), default="text", help="Output format."
    )


def at_option(function: F) -> F:
    """Add the option `--at REV` to a command that reads."""
    return click.option(
        "--at",
        type=REVISION,
        metavar="REV",
        help="Read the state at a commit, branch, tag or date (2026-03-31) instead.",
    )(function)


def env_option(text: str) -> Callable[[F], F]:
    """Add the option `--env ENV`."""
    return click.option("--env", "environment", type=ENVIRONMENT, metavar="ENV", help=text)


def approver_option(text: str) -> Callable[[F], F]:
    """Add the option `--approver`."""
    return click.option("--approver", "approvers", multiple=True, required=True, metavar="PERSON", help=text)


def last_option(default: int, things: str) -> Callable[[F], F]:
    """Add the option `-n`, `--last`."""
    return click.option(
        "-n",
        "--last",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help=f"How many {things}, newest first.",
    )


def dry_run_option(function: F) -> F:
    """Add the option `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")(function)


def number_of(version: VersionRef, model: str, option: str) -> int:
    """Return the number of a version that an option names.

    Raises:
        BadParameter: it is a version of another model than the command is about.
    """
    if version.model != model:
        raise click.BadParameter(f"{version} is not a version of {model}.", param_hint=option)
    return version.number


def _session(ctx: click.Context, *, as_json: bool) -> Session:
    return Session(Path(ctx.find_root().meta["mlgit.directory"]), as_json=as_json)
