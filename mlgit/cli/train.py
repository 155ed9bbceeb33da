"""Run the pipeline that trains a model."""

import shlex

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
    """Run the stages of the training pipeline that are out of date.

    MODEL may be left out where there is only one. A run that fails leaves no value of --set behind.

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
                "param-syntax-error",
                f"{key!r} is not a setting",
                fix="write it as KEY=VALUE, for example train.max_depth=8",
            )
    return {key: value for key, _, value in pairs}


def _show(outcome: train.Trained) -> str:
    if outcome.exit_code:
        again = "".join(f" --set {shlex.quote(f'{key}={value}')}" for key, value in outcome.settings.items())
        restored = " The parameters are as they were before." if outcome.settings else ""
        return (
            f"The pipeline of {outcome.model} stopped with exit code {outcome.exit_code}; its last lines above say why."
            + restored
            + text.following(f"fix it, then mlgit train {outcome.model}{again}")
        )
    rows = [
        [name, f"{value:.4f}", "decides" if name == outcome.primary_metric else ""]
        for name, value in outcome.metrics.items()
    ]
    parts = [f"{outcome.model} on the test split", text.table(["METRIC", "VALUE", ""], rows)]
    if outcome.newest_version is not None and outcome.newest_metric is not None:
        gain = outcome.metrics[outcome.primary_metric] - outcome.newest_metric
        parts.append(f"{outcome.primary_metric} {gain:+.4f} against {outcome.newest_version}")
    parts += [text.finding(finding) for finding in outcome.findings]
    commit = (
        f"git commit -m 'Train {outcome.model}' -- {' '.join(outcome.uncommitted)} && " if outcome.uncommitted else ""
    )
    return "\n\n".join(parts) + text.following(f"{commit}mlgit register {outcome.model}")
