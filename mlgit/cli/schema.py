"""Print the JSON Schema of a kind of file."""

import click

from mlgit import schemas
from mlgit.cli.params import session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.records import KINDS
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.project.explain import RECORD_PATHS


class Kinds(Outcome, frozen=True, kw_only=True, tag="mlgit/schema-list.v1"):
    """The kinds of files that have a schema: where each lives, and who writes it."""

    places: dict[str, str]
    written_by: dict[str, str]


@click.command()
@click.argument("kind", metavar="[KIND]", required=False, type=click.Choice(schemas.kinds()))
@session_command
def command(session: Session, kind: str | None) -> int:
    """Print the JSON Schema of a kind of file.

    Editors with YAML support validate files against it; `mlgit init` writes the schemas of the files that people edit to
    .mlgit/schemas. Without KIND, the kinds are listed.

    \b
    Examples:
      mlgit schema
      mlgit schema policy
      mlgit schema policy > policy.schema.json
    """
    if kind is not None:
        click.echo(schemas.text(kind), nl=False)
        return 0
    return session.answer(
        Kinds(places=RECORD_PATHS, written_by={name: record.written_by for name, record in KINDS.items()}), _show
    )


def _show(kinds: Kinds) -> str:
    rows = [(kind, place, kinds.written_by[kind]) for kind, place in kinds.places.items()]
    return text.table(("KIND", "FILE", "WRITTEN BY"), rows) + text.following("mlgit schema KIND")
