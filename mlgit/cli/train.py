"""Run the pipeline that trains a model."""

import click

from mlgit.cli.params import MODEL, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.errors import usage_error
from mlgit.ops.training import train


@click.command()
@click.argument("model", required=False, type=MODEL)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a parameter first; may be repeated.")
@session_command
def command(session: Session, model: str | None, settings: tuple[str, ...]) -> int:
    """Run the pipeline that trains a model, as far as it is out of date.

    MODEL may be left out where there is only one.

    \b
    Examples:
      mlgit train
      mlgit train churn --set train.max_depth=8
    """
    outcome = train.run(session, model, _parsed(settings), lambda line: click.echo(text.clean(line), err=True))
    return session.answer(outcome, _show)


def _parsed(settings: tuple[str, ...]) -> dict[str, str]:
    pairs = [setting.partition("=") for setting in settings]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise usage_error(
                "setting-form", f"{key!r} is no setting", fix="write it as KEY=VALUE, for example train.max_depth=8"
            )
    return {key: value for key, _, value in pairs}


def _show(found: train.Trained) -> str:
    if found.code:
        return (
            f"The pipeline of {found.model} stopped with exit code {found.code}; its last lines above say why."
            + text.following(f"mend it, then mlgit train {found.model}")
        )
    rows = [[name, f"{value:.4f}", "decides" if name == found.primary else ""] for name, value in found.metrics.items()]
    parts = [f"{found.model} on the test split", text.table(["METRIC", "VALUE", ""], rows)]
    if found.newest is not None and found.newest_metric is not None:
        gain = found.metrics[found.primary] - found.newest_metric
        parts.append(f"{found.primary} {gain:+.4f} against {found.newest}")
    commit = f"git commit -m 'Train {found.model}' -- {' '.join(found.uncommitted)} && " if found.uncommitted else ""
    return "\n\n".join(parts) + text.following(f"{commit}mlgit register {found.model}")
