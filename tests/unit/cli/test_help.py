"""Help costs little, says the same everywhere, and shows how each command is used."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mlgit import schemas
from mlgit.cli import suggestions
from mlgit.cli.main import COMMANDS, cli, run
from mlgit.domain.records import KINDS
from mlgit.schemas.__main__ import main as write_schemas

HARMLESS = {"mlgit", "mlgit.cli", "mlgit.cli.main"}


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def leaves() -> list[tuple[str, click.Command]]:
    """Every command that does something, with the words that lead to it."""
    found = []
    for name in COMMANDS:
        outer = command(name)
        inner = outer.commands if isinstance(outer, click.Group) else {}
        found += [(f"{name} {word}", one) for word, one in inner.items()] or [(name, outer)]
    return found


def imported_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after some code, beyond those of the standard library."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    names = set(json.loads(done.stderr.splitlines()[-1]))
    return {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, "__main__"}}


def test_help_imports_only_click_and_the_group() -> None:
    modules = imported_by("from mlgit.cli.main import run\nassert run(['--help']) == 0")
    ours = {name for name in modules if name.partition(".")[0] == "mlgit"}
    assert ours == HARMLESS
    heavy = {"msgspec", "yaml", "git", "dvc", "pandas", "numpy", "sklearn", "pyarrow", "jsonschema"}
    assert not heavy & modules


def test_the_help_of_a_command_needs_no_heavy_package() -> None:
    modules = imported_by(
        f"from mlgit.cli.main import run\nfor name in {list(COMMANDS)}: assert run([name, '--help']) == 0"
    )
    assert not {"git", "dvc", "pandas", "numpy", "sklearn", "pyarrow", "jsonschema"} & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_summed_up_in_the_same_words(name: str) -> None:
    assert command(name).get_short_help_str(limit=200)
    assert (sys.modules[f"mlgit.cli.{name.replace('-', '_')}"].__doc__ or "").splitlines()[0] == COMMANDS[name].summary


@pytest.mark.parametrize(("words", "found"), leaves())
def test_a_command_shows_examples_and_answers_in_json(words: str, found: click.Command) -> None:
    text = found.get_help(click.Context(found, info_name=words))
    examples = text.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) >= 2
    assert all("mlgit " in line for line in examples)
    assert "--json" in text


def test_a_wrong_name_of_a_command_is_misuse_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inti"]) == 2
    assert "Did you mean `mlgit init` (Create a working project in a new folder)?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("list", ["status", "show"]),
        ("ls", ["status", "show"]),
        ("drift", ["observe"]),
        ("deploy", ["apply", "promote"]),
        ("revert", ["rollback"]),
        ("aprove", ["approve"]),
        ("Deploy", ["apply", "promote"]),
        ("xyzzy", []),
    ],
)
def test_a_wrong_command_is_understood_by_its_meaning_and_then_by_its_spelling(typed: str, meant: list[str]) -> None:
    assert suggestions.suggest(typed, COMMANDS) == meant


def test_every_suggested_command_exists() -> None:
    assert {name for names in suggestions.MEANINGS.values() for name in names} <= set(COMMANDS)
    assert not set(" ".join(suggestions.MEANINGS).split()) & set(COMMANDS)


def test_the_schemas_are_those_of_the_records(tmp_path: Path) -> None:
    (tmp_path / "gone.schema.json").write_text("{}")
    write_schemas(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{kind}{schemas.SUFFIX}" for kind in KINDS}
    assert schemas.kinds() == sorted(KINDS)
    for kind in KINDS:
        assert (tmp_path / f"{kind}{schemas.SUFFIX}").read_bytes() == schemas.text(kind)
