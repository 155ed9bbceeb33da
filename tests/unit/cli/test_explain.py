"""Every finding can be explained: each id that the source can give has a text, and each text belongs to an id."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlgit
from mlgit import explanations
from mlgit.cli.main import run
from mlgit.domain.gates import REGISTRY
from mlgit.domain.layout import parse_path
from mlgit.domain.records import KINDS
from mlgit.errors import UsageError
from mlgit.ops.project import explain

PACKAGE = Path(mlgit.__file__).parent
MAKERS = {"Finding", "refused", "unjudged", "misuse"}
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
    """Yield each id that an expression can be, `*` in place of what is only known at run time."""
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from ids_in(body)
            yield from ids_in(orelse)


def ids() -> set[str]:
    trees = sources()
    names = makers(trees)
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) in names)
    first = (node.args[0] for node in calls if node.args)
    return {found for argument in first for found in ids_in(argument) if ID.fullmatch(found.replace("*", "x"))}


IDS = ids()
PATTERNS = [re.compile(re.escape(found).replace(r"\*", "[a-z]+")) for found in IDS]


@pytest.mark.parametrize("id_", sorted(IDS))
def test_every_id_in_the_source_is_explained(id_: str) -> None:
    pattern = re.compile(re.escape(id_).replace(r"\*", "[a-z]+"))
    assert any(pattern.fullmatch(found) for found in explanations.ids())


def test_every_explanation_belongs_to_an_id_in_the_source() -> None:
    unused = [found for found in explanations.ids() if not any(pattern.fullmatch(found) for pattern in PATTERNS)]
    assert unused == []


@pytest.mark.parametrize("id_", explanations.ids())
def test_an_explanation_has_its_id_as_title_a_meaning_and_an_example(id_: str) -> None:
    title, meaning, *_ = explanations.text(id_).split("\n\n")
    assert title == f"# {id_}"
    assert meaning[0].isalnum() or meaning[0] == "`"
    text = explanations.text(id_)
    assert re.search(rf"(error|warning|note)\[{id_}\]: ", text)


def test_no_word_has_two_meanings() -> None:
    words = [*explanations.ids(), *REGISTRY, *KINDS]
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_explained_with_its_place_and_every_key(kind: str) -> None:
    found = explain.run(kind, [], str)
    assert found.place is not None
    at = parse_path(re.sub(r"<\w+>", "1", found.place))
    assert at is not None
    assert at.kind == kind
    fields = {field.name: field for field in found.fields}
    assert {"kind", "schema"} <= fields.keys()
    assert fields["schema"].default is None
    assert fields["kind"].type == kind


@pytest.mark.parametrize("gate", REGISTRY)
def test_a_gate_is_explained_by_its_question_and_its_settings(gate: str) -> None:
    found = explain.run(gate, [], str)
    assert found.text.startswith(REGISTRY[gate].summary())
    own = [field.name for field in found.fields if "." not in field.name]
    assert own == ["id", *REGISTRY[gate].__struct_fields__]


def test_keys_of_inner_mappings_are_told_once() -> None:
    names = [field.name for field in explain.run("environment", [], str).fields]
    assert "target.path" in names
    assert "windows[].allow.days" in names
    assert "windows[].deny.days" not in names
    assert len(names) == len(set(names))


def test_everything_is_listed_with_one_sentence() -> None:
    topics = explain.topics(explanations.ids(), explanations.text)
    assert set(topics.records) == set(KINDS)
    assert set(topics.gates) == set(REGISTRY)
    assert all(
        line and "\n" not in line
        for words in (topics.findings, topics.gates, topics.records)
        for line in words.values()
    )


def test_an_unknown_word_is_misuse_and_names_the_nearest() -> None:
    with pytest.raises(UsageError) as refusal:
        explain.run("beats-champoin", explanations.ids(), explanations.text)
    assert refusal.value.findings[0].fix == "did you mean beats-champion?"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["explain", "version-unknown"], 0, "churn@11 does not exist"),
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


def test_the_command_refuses_an_unknown_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "yaml-sintax"]) == 2
    assert "did you mean yaml-syntax-error?" in capsys.readouterr().err
