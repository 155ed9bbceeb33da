"""Every finding can be explained: each id in the source is on the page of one family, and each id on a page in the source."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import mlgit
from mlgit import explanations
from mlgit.cli import explain as cli_explain
from mlgit.cli.main import run
from mlgit.domain.gates import REGISTRY
from mlgit.domain.layout import parse_path
from mlgit.domain.records import KINDS
from mlgit.errors import UsageError
from mlgit.explanations import FindingEntry, Index
from mlgit.ops.project import explain
from tools import findings

PACKAGE = Path(mlgit.__file__).parent
MAKERS = {"Finding", "refused", "inconclusive", "usage_error"}
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def sources() -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]


def makers(trees: list[ast.Module]) -> set[str]:
    """Names whose call makes a finding: those of `errors`, and the functions and classes that take an id for one."""
    names = set(MAKERS)
    for node in itertools.chain.from_iterable(map(ast.walk, trees)):
        if isinstance(node, ast.ClassDef):
            names |= {node.name for inner in node.body if isinstance(inner, ast.FunctionDef) and takes_id(inner)}
        elif isinstance(node, ast.FunctionDef) and takes_id(node):
            names.add(node.name)
    return names


def takes_id(function: ast.FunctionDef) -> bool:
    return any(argument.arg in {"id", "id_"} for argument in function.args.args[:2])


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def ids_in(argument: ast.expr) -> Iterator[str]:
    """Yield each id that an expression can be; one that is put together at run time is a failure of its own."""
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            text = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
            assert " " in text, f"write the id as a literal: {ast.unparse(argument)}"  # else it is a message
        case ast.IfExp(body=body, orelse=orelse):
            yield from ids_in(body)
            yield from ids_in(orelse)


def ids() -> set[str]:
    trees = sources()
    names = makers(trees)
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) in names)
    first = (node.args[0] for node in calls if node.args)
    return {found for argument in first for found in ids_in(argument) if ID.fullmatch(found)}


IDS = ids()


INDEX = explanations.index()
SHOWN = re.compile(r"^ {0,4}(?:error|warning|note)\[([a-z0-9-]+)\]: ", re.MULTILINE)


@pytest.mark.parametrize("id_", sorted(IDS))
def test_every_id_in_the_source_stands_on_the_page_of_a_family(id_: str) -> None:
    assert id_ in INDEX.findings


def test_every_id_on_a_page_is_in_the_source() -> None:
    assert INDEX.findings.keys() - IDS == set()


def test_the_index_is_what_the_pages_say() -> None:
    written = (findings.FOLDER / explanations.INDEX).read_text(encoding="utf-8")
    assert written == findings.encoded(findings.index()), "run `make docs`"


def test_an_id_on_two_pages_is_refused(tmp_path: Path) -> None:
    for family in ("first", "second"):
        (tmp_path / f"{family}.md").write_text(f"# {family}\n\n## Findings\n\n- `data-missing`: It is not there.\n")
    with pytest.raises(ValueError, match="data-missing is on the pages first and second"):
        findings.index(tmp_path)


def test_what_is_said_of_a_finding_may_take_several_lines(tmp_path: Path) -> None:
    text = "# Data\n\n- `not-listed`: Before.\n\n## Findings\n\n- `a-b`: One\n  two.\n- `c`: Three.\n\n## More\n\n- `d`: Four.\n"
    (tmp_path / "data.md").write_text(text)
    assert findings.index(tmp_path) == Index(
        {"data": "Data"}, {"a-b": FindingEntry("data", "One two."), "c": FindingEntry("data", "Three.")}
    )


@pytest.mark.parametrize("family", INDEX.families)
def test_a_page_teaches_before_it_lists_its_findings(family: str) -> None:
    title, rule, *_ = explanations.page(family).split("\n\n")
    assert title == f"# {INDEX.families[family]}"
    assert len(rule.split()) > 20
    text = explanations.page(family)
    assert "```" in text or "\n    " in text, "show a command or a file"
    assert text.count("\n## Findings\n") == 1
    assert len(re.findall(r"^- `", text.partition("\n## Findings\n")[2], re.MULTILINE)) == len(
        [entry for entry in INDEX.findings.values() if entry.family == family]
    )
    assert set(SHOWN.findall(text)) <= INDEX.findings.keys()


@pytest.mark.parametrize("id_", INDEX.findings)
def test_a_finding_is_explained_with_its_own_line_on_top_and_the_page_of_its_family(id_: str) -> None:
    found = explain.run(id_, INDEX, explanations.page)
    entry = INDEX.findings[id_]
    title, meaning, *_ = found.text.split("\n\n")
    assert title == f"# {id_}"
    assert " ".join(meaning.split()) == entry.meaning
    assert entry.meaning[0].isupper() or entry.meaning[0] in "`("
    assert entry.meaning.endswith((".", "`"))
    assert f"\n## {INDEX.families[entry.family]}\n" in found.text
    assert (found.topic, found.family) == ("finding", entry.family)


def test_a_family_is_explained_by_its_page() -> None:
    found = explain.run("ledger", INDEX, explanations.page)
    assert found.text == explanations.page("ledger").strip()
    assert (found.topic, found.family) == ("family", "ledger")


def test_headings_go_one_level_deeper_and_code_stays() -> None:
    page = "# A\n\n```yaml\n# no heading\n```\n\n## B\n\n#C\n"
    assert explain.nested(page) == "## A\n\n```yaml\n# no heading\n```\n\n### B\n\n##C\n"


def test_no_topic_has_two_meanings() -> None:
    names = [*INDEX.families, *INDEX.findings, *REGISTRY, *KINDS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_explained_with_its_place_and_every_key(kind: str) -> None:
    found = explain.run(kind, INDEX, str)
    assert found.path is not None
    at = parse_path(re.sub(r"<\w+>", "1", found.path))
    assert at is not None
    assert at.kind == kind
    fields = {field.name: field for field in found.fields}
    assert {"kind", "schema"} <= fields.keys()
    assert fields["schema"].default is None
    assert fields["kind"].type == kind


@pytest.mark.parametrize("gate", REGISTRY)
def test_a_gate_is_explained_by_its_question_and_its_settings(gate: str) -> None:
    found = explain.run(gate, INDEX, str)
    assert found.text.startswith(REGISTRY[gate].summary())
    own = [field.name for field in found.fields if "." not in field.name]
    assert own == ["id", *REGISTRY[gate].__struct_fields__]


def test_keys_of_inner_mappings_are_told_once() -> None:
    names = [field.name for field in explain.run("environment", INDEX, str).fields]
    assert "target.path" in names
    assert "windows[].allow.days" in names
    assert "windows[].deny.days" not in names
    assert len(names) == len(set(names))


def test_everything_is_listed_with_one_sentence() -> None:
    topics = explain.topics(INDEX)
    assert set(topics.records) == set(KINDS)
    assert set(topics.gates) == set(REGISTRY)
    assert topics.findings.keys() == INDEX.findings.keys()
    assert topics.families == INDEX.families
    assert all(
        line and "\n" not in line
        for names in (topics.families, topics.findings, topics.gates, topics.records)
        for line in names.values()
    )


@pytest.mark.parametrize(
    ("topic", "fix"),
    [
        ("beats-champoin", "did you mean beats-champion?"),
        ("version-blob", "did you mean version-blob-mismatch?"),
        ("model-is", "did you mean model-is-html, model-is-lfs-pointer or model-is-pickle?"),
        ("ledger-", "did you mean ledger-chain-broken, ledger-conflict, ledger-entry-changed or ledger-entry-missing?"),
        ("xyzzy", "`mlgit explain` lists all of them"),
    ],
)
def test_an_unknown_topic_is_a_usage_error_and_names_those_that_may_be_meant(topic: str, fix: str) -> None:
    with pytest.raises(UsageError) as refusal:
        explain.run(topic, INDEX, explanations.page)
    assert refusal.value.findings[0].id == "topic-unknown"
    assert refusal.value.findings[0].fix == fix


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["explain", "version-unknown"], 0, "# version-unknown\n\nThere is no version of this number."),
        (["explain", "ramps"], 0, "# Ramps: taking over in steps"),
        (["explain", "ramps", "--json"], 0, '"topic": "family"'),
        (["explain", "policy"], 0, "policies/<policy>.yaml"),
        (["explain", "beats-champion"], 0, "- id: beats-champion"),
        (["explain"], 0, "yaml-syntax-error"),
        (["explain", "policy", "--json"], 0, '"schema": "mlgit/explain.v1"'),
        (["schema"], 0, "models/<model>/model.yaml"),
        (["schema", "policy"], 0, '"$id": "urn:mlgit:schema:policy:1"'),
        (["schema", "--json"], 0, '"schema": "mlgit/schema-list.v1"'),
        (["completion", "zsh"], 0, 'eval "$(mlgit completion zsh)"'),
        (["completion", "fish", "--json"], 0, '"shell": "fish"'),
    ],
)
def test_the_commands_say_it(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == code
    assert said in capsys.readouterr().out


def test_completion_offers_ids_families_gates_and_kinds() -> None:
    offered = cli_explain.command.params[0].shell_complete(click.Context(cli_explain.command), "ledger")
    names = [item.value for item in offered]
    assert names[0] == "ledger"
    assert "ledger-missing" in names
    assert all(name.startswith("ledger") for name in names)


def test_the_command_refuses_an_unknown_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "yaml-sintax"]) == 2
    assert "did you mean yaml-syntax-error?" in capsys.readouterr().err
