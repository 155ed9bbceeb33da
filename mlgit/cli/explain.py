"""Explain a finding, a family of findings, a gate or a kind of file."""

import re
import shutil
import textwrap

import click

from mlgit import explanations
from mlgit.cli.params import TOPIC, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.project import explain

_WIDEST = 50  # characters of what a value can be; the JSON Schema has it in full


@click.command()
@click.argument("topic", metavar="[ID]", required=False, type=TOPIC)
@session_command
def command(session: Session, topic: str | None) -> int:
    """Explain a finding, a family of findings, a gate or a kind of file.

    ID is the id of a finding, as in `error[version-unknown]`, the name of a family of findings, the id of a gate, or a kind of
    record. Without it, all of them are listed.

    \b
    Examples:
      mlgit explain version-unknown
      mlgit explain approvals
      mlgit explain beats-champion
      mlgit explain policy
    """
    index = explanations.index()
    if topic is None:
        return session.answer(explain.topics(index), _show_topics)
    return session.answer(explain.run(topic, index, explanations.page), _show)


def _show_topics(topics: explain.Topics) -> str:
    sections = (
        ("KIND OF FILE", topics.records),
        ("GATE", topics.gates),
        ("FAMILY OF FINDINGS", topics.families),
        ("FINDING", topics.findings),
    )
    width = max(len(name) for _, names in sections for name in names)
    lines = []
    for title, names in sections:
        lines += [
            title.ljust(width) + "  WHAT IT MEANS",
            *(_row(name, line, width) for name, line in names.items()),
            "",
        ]
    return "\n".join(lines).rstrip() + text.following("mlgit explain ID")


def _row(name: str, line: str, width: int) -> str:
    room = max(shutil.get_terminal_size().columns - width - 2, 40)
    return f"{name.ljust(width)}  {textwrap.shorten(line, room, placeholder=' ...')}"


def _show(explanation: explain.Explanation) -> str:
    if explanation.topic in {"finding", "family"}:
        return explanation.text
    lines = [f"# {explanation.id}", "", explanation.text]
    if explanation.path:
        writer = f"`{explanation.written_with}`, or by {explanation.written_by}"
        where = f"`{explanation.path}`, written by {writer if explanation.written_with else explanation.written_by}"
        lines += ["", f"At {where}."]
    if fields := [field for field in explanation.fields if field.name != "id"]:
        rows = [(field.name, _wanted(field), field.description) for field in fields]
        lines += ["", text.table(("KEY", "VALUE", "MEANING"), rows)]
    lines += ["", _hint(explanation)]
    return "\n".join(lines)


def _wanted(field: explain.Field) -> str:
    kind = re.sub(r" or null$", "", field.type)
    default = "" if field.default in {None, "null", "[]", "{}"} else f", {field.default} if missing"
    optional = " (may be missing)" if field.default is not None and not default else ""
    return textwrap.shorten(f"{kind}{default}{optional}", _WIDEST, placeholder=" ...")


def _hint(explanation: explain.Explanation) -> str:
    if explanation.topic == "gate":
        return f"A policy asks for it with `- id: {explanation.id}` in its list of gates."
    return f"`mlgit schema {explanation.id}` prints the JSON Schema."
