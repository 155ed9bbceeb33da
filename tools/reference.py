"""Generates the reference pages from the code, so that they always agree with it.

`python -m tools.reference` writes `docs/reference`, the index of findings, and what completion needs of the commands;
`python -m tools.reference --check` only lists the pages that differ.
"""

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path
from typing import Any

import msgspec

import mlgit.cli
from mlgit import explanations
from mlgit.cli.boundary import ErrorReport
from mlgit.domain.gates import REGISTRY
from mlgit.domain.gates.base import Gate
from mlgit.domain.metrics import METRICS
from mlgit.domain.records import KINDS
from mlgit.domain.records.base import Record
from mlgit.domain.records.kinds import RECORD_KINDS
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.project.explain import RECORD_PATHS
from tools import commands, completions, examples, findings
from tools.example_gates import GATES
from tools.fields import VALUE_FORMS, Schema, anchor, cell, described, fields, schema_of

_MANUAL = {"glossary.md"}
FOLDER = Path(__file__).parents[1] / "docs/reference"
_HEADER = "<!-- Written by `make docs` from the code; changes here are lost. -->\n\n"


def pages() -> dict[str, str]:
    """Return every page of the reference by its path below `docs/reference`."""
    generated = {
        "README.md": _index(),
        "commands.md": commands.page(),
        "gates.md": _gates(),
        "findings.md": findings.page(),
        "json.md": _json(),
        "records/README.md": _records(),
        **{f"records/{kind}.md": _record(kind) for kind in KINDS},
    }
    return {path: _HEADER + text.rstrip() + "\n" for path, text in generated.items()}


def differing(folder: Path = FOLDER) -> list[str]:
    """Return the pages that differ from what would be written, and files that are not pages, sorted."""
    expected = pages()
    existing = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}
    existing = {path: text for path, text in existing.items() if path not in _MANUAL}
    return sorted(path for path in expected.keys() | existing.keys() if expected.get(path) != existing.get(path))


def write(folder: Path = FOLDER) -> None:
    """Write all pages of the reference into a folder, and remove other files."""
    expected = pages()
    for path in differing(folder):
        if path not in expected:
            (folder / path).unlink()
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(expected[path], encoding="utf-8", newline="\n")


def outcomes() -> dict[str, type[msgspec.Struct]]:
    """Return every type of document that `--json` can print, by its name and version, sorted."""
    for module in pkgutil.iter_modules(mlgit.cli.__path__, "mlgit.cli."):
        importlib.import_module(module.name)
    found = {str(kind.__struct_config__.tag): kind for kind in Outcome.__subclasses__()}
    return dict(sorted((found | {str(ErrorReport.__struct_config__.tag): ErrorReport}).items()))


def _index() -> str:
    return """# Reference

- [Glossary](glossary.md): the terms of mlgit, and their equivalents in MLflow, Kubernetes, TUF and Git
- [Commands](commands.md): what each command does, its arguments and options, examples
- [Records](records/README.md): each kind of file with its path, its fields and an example
- [Gates](gates.md): the question of each gate, and its settings; the metrics
- [Findings](findings.md): every id of a message, its meaning, and how to fix it
- [JSON](json.md): the documents that `--json` prints
"""


# Records


def _records() -> str:
    lines = ["# Records", "", _INTRODUCTION, "", "| kind | file | written by | what it is |", "|---|---|---|---|"]
    lines += [
        f"| [{kind}]({kind}.md) | `{RECORD_PATHS[kind]}`{_branch(kind)} | {_writer(record)} | {_doc(record)[0]} |"
        for kind, record in KINDS.items()
    ]
    lines += ["", "## Forms of values", "", "| value | form |", "|---|---|"]
    lines += [f"| {name} | {form} |" for name, form in VALUE_FORMS.values()]
    return "\n".join(lines)


_INTRODUCTION = """\
Each kind of file is defined once, in [`mlgit/domain/records`](../../../mlgit/domain/records); the reader, the JSON
Schema (`mlgit schema KIND`), the messages and these pages are derived from it. People write YAML, mlgit writes JSON.
Every file has `kind` and `schema: 1`. An unknown key is an error, unless it begins with `x-`: such keys are yours.

**Digests.** The digest of a record is the sha256 of its canonical form: JSON in UTF-8 with sorted keys, no white space
and the shortest numbers that read back the same; fields that equal their default, `x-` keys and comments are left out."""


def _writer(record: type[Record]) -> str:
    """Return who writes a kind of file."""
    return f"`{record.written_with}`, or by {record.written_by}" if record.written_with else record.written_by


def _record(kind: str) -> str:
    record = KINDS[kind]
    schema, parts = schema_of(record)
    parts = {name: part for name, part in parts.items() if name not in _GATE_CLASSES}  # they have a page of their own
    where = (
        f"At `{RECORD_PATHS[kind]}`{_branch(kind)}, written by {_writer(record)}. "
        f"Begins with `kind: {kind}` and `schema: 1`."
    )
    lines = [f"# {kind}", "", *_doc(record), "", where, "", *_table(schema, parts, skip={"kind", "schema"})]
    for name, part in parts.items():
        lines += ["", f"## {name}", "", inspect.cleandoc(part.get("description", "")), "", *_table(part, parts)]
    if note := _NOTES.get(kind):
        lines += ["", "## Digest", "", note]
    path, text = examples.of(kind)
    return "\n".join(
        [*lines, "", "## Example", "", f"`{path}`", "", f"```{path.rpartition('.')[2]}", text.rstrip(), "```"]
    )


_GATE_CLASSES = {gate.__name__ for gate in REGISTRY.values()}
_NOTES = {
    "version": """\
The identity of a version is the digest of this record without `version`, which is a label, and without `digest` itself.
The record has the digests of the model file, the card, the reference profile, the predictions, the code, the data and the
parameters, so the identity changes when any of them does. It is recomputed whenever the record is read
(`version-tampered`).""",
    "promotion": """\
The next manifest has the digest of this one in `replaces`, so a promotion that was planned for another state is refused
(`promotion-stale`). Comments and the order of keys do not change the digest.""",
    "gate-report": """\
The manifest of the promotion has the digest of this report. `mlgit merge` and `mlgit apply` evaluate the gates again and
refuse a report with other results (`gate-report-mismatch`).""",
    "decision": """\
`decision` is the sha256 of the canonical form of `reads`. Each entry of `reads` is the digest of something
that the decision depends on. None is a commit id, so a rebase or a squash does not change it, but a changed threshold does.""",
    "approval": """\
The bytes of this file are signed in the namespace `mlgit-approval`; the signature is in the same folder, with `.sig` added
to the name. It counts for exactly one `decision`.""",
    "deployment": """\
`previous` is the digest of the entry before, so that no entry can be changed or removed unnoticed.""",
}


def _branch(kind: str) -> str:
    return " on the branch `mlgit-ledger`" if RECORD_KINDS[kind].on_ledger else ""


def _table(schema: Schema, parts: dict[str, Schema], skip: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    rows = [field for field in fields(schema, parts) if field.name not in skip]
    if not rows:
        return ["No fields."]
    if not any(field.meaning for field in rows):
        return ["| field | value |", "|---|---|", *(f"| `{field.name}` | {field.value} |" for field in rows)]
    return [
        "| field | value | if missing | meaning |",
        "|---|---|---|---|",
        *(f"| `{field.name}` | {field.value} | {field.default} | {cell(field.meaning)} |" for field in rows),
    ]


# Gates, JSON


def _gates() -> str:
    lines = ["# Gates", "", _GATES, "", "| gate | question |", "|---|---|"]
    lines += [f"| [{name}](#{anchor(name)}) | {cell(gate.summary())} |" for name, gate in REGISTRY.items()]
    shared, parts = schema_of(Gate)
    lines += ["", "## Settings of every gate", "", _SHARED, "", *_table(shared, parts, skip={"id"})]
    for name, part in parts.items():
        lines += ["", f"## {name}", "", inspect.cleandoc(part.get("description", "")), "", *_table(part, parts)]
    for name, gate in REGISTRY.items():
        schema, parts = schema_of(gate)
        own = schema["properties"].keys() - shared["properties"].keys() - {"id"}
        lines += ["", f"## {name}", "", described(schema), ""]
        lines += (
            _table(schema, parts, skip=shared["properties"].keys() | {"id"}) if own else ["No settings of its own."]
        )
        lines += ["", "```yaml", GATES[name], "```"]
    lines += ["", "## Metrics", "", _METRICS, "", "| metric | better | for |", "|---|---|---|"]
    lines += [f"| {name} | {_BETTER[facts.direction]} | {', '.join(facts.tasks)} |" for name, facts in METRICS.items()]
    return "\n".join(lines)


_BETTER = {"max": "higher", "min": "lower"}
_GATES = """\
A gate is one question about a version that is proposed for an environment. A policy lists the gates that it requires, in
order, each with its settings. Outcomes: `pass`, `fail`, `wait`, `skip` (the question does not arise, and why), `waived`,
`error` (inconclusive). Only pass, skip and waived allow a version. `mlgit gate MODEL@N --env ENV` evaluates them without
changing anything."""
_SHARED = "Every gate can have these, besides its own settings."
_METRICS = """\
Computed by mlgit from the stored predictions of the frozen test split, never taken from a file. A problem names one as
`metric.primary`."""


def _json() -> str:
    lines = ["# JSON", "", _JSON, "", "| type | what it is |", "|---|---|"]
    lines += [f"| [{tag}](#{anchor(tag)}) | {_doc(kind)[0]} |" for tag, kind in outcomes().items()]
    shared: dict[str, Schema] = {}
    for tag, kind in outcomes().items():
        schema, parts = schema_of(kind)
        shared |= parts
        lines += ["", f"## {tag}", "", *_doc(kind), "", *_table(schema, parts, skip={"schema"})]
    lines += ["", "## Parts"]
    for name, part in sorted((name, part) for name, part in shared.items() if "properties" in part):
        lines += ["", f"### {name}", "", described(part), "", *_table(part, shared)]
    return "\n".join(lines)


_JSON = """\
With `--json`, a command prints exactly one document on stdout, and its exit code is the same as without. `schema` is the
type with its version: new fields can be added to a version; removing a field or changing its meaning makes a new version.
A command that failed prints `mlgit/error.v1`; only if an option or argument is missing, unknown or cannot be read (exit
code 2), there can be plain text on stderr instead, and nothing on stdout. Every field of these types is present, `null` if
it has no value; in their parts, empty fields can be missing."""


def _doc(kind: type[Any]) -> list[str]:
    return (inspect.getdoc(kind) or "").splitlines()


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` print which differ."""
    if arguments != ["--check"]:
        findings.write_index()
        completions.FILE.write_text(completions.encoded(), encoding="utf-8", newline="\n")
        write()
        return 0
    differences = [f"docs/reference/{path}" for path in differing()]
    if findings.encoded(findings.index()) != (index := findings.FOLDER / explanations.INDEX).read_text(
        encoding="utf-8"
    ):
        differences.append(index.relative_to(FOLDER.parents[1]).as_posix())
    if completions.encoded() != completions.FILE.read_text(encoding="utf-8"):
        differences.append(completions.FILE.relative_to(FOLDER.parents[1]).as_posix())
    for path in differences:
        print(f"{path} differs from what `make docs` writes")  # noqa: T201 - its output
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
