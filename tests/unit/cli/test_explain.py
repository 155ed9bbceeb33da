"""Every finding can be explained: each id that the source can give has a text, and each text belongs to an id."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlgit
from mlgit import explanations
from mlgit.domain.gates import REGISTRY
from mlgit.domain.layout import place
from mlgit.domain.records import KINDS
from mlgit.errors import Misuse
from mlgit.ops import explain

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
