"""Print the completion script of a shell."""

import click
from click.shell_completion import get_completion_class

from mlgit.cli.params import session_command
from mlgit.cli.session import Session
from mlgit.ops.kernel.outcome import Outcome

_INSTALL = {
    "bash": 'add this line to ~/.bashrc: eval "$(mlgit completion bash)"',
    "zsh": 'add this line to ~/.zshrc, after compinit: eval "$(mlgit completion zsh)"',
    "fish": "run once: mlgit completion fish > ~/.config/fish/completions/mlgit.fish",
}


class Script(Outcome, frozen=True, kw_only=True, tag="mlgit/completion.v1"):
    """A completion script, and how it is installed."""

    shell: str
    install: str
    script: str


@click.command()
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@session_command
def command(session: Session, shell: str) -> int:
    """Print the completion script of a shell.

    Once installed, the Tab key completes commands, options, models, versions and environments.

    \b
    Examples:
      eval "$(mlgit completion bash)"
      eval "$(mlgit completion zsh)"
      mlgit completion fish > ~/.config/fish/completions/mlgit.fish
    """
    root = click.get_current_context().find_root().command
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 - click knows the shells above
    script = complete(root, {}, "mlgit", "_MLGIT_COMPLETE").source().strip()
    return session.answer(Script(shell=shell, install=_INSTALL[shell], script=script), _show)


def _show(made: Script) -> str:
    return f"{made.script}\n\n# To install, {made.install}"
