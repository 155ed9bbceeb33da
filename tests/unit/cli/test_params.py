"""Arguments and options mean the same in every command."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mlgit.cli import completions
from mlgit.cli.hold import _subject
from mlgit.cli.main import COMMANDS, cli, run
from mlgit.cli.params import MODEL_PLACE, PLACE, PLACED_VERSION, REASON, number_of
from mlgit.cli.times import DATE, TIME
from mlgit.domain.names import VersionRef
from mlgit.errors import MlgitError
from tools.completions import described


def leaves() -> dict[str, click.Command]:
    found = {}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {}
        found |= {f"{name} {word}": one for word, one in inner.items()} or {name: command}
    return found


LEAVES = leaves()


def options(command: click.Command) -> set[str]:
    return {word for option in command.params if isinstance(option, click.Option) for word in option.opts}


# Forms

FORMS: list[tuple[click.ParamType, str, Any]] = [
    (PLACE, "production", ("production", None)),
    (PLACE, "production/churn", ("production", "churn")),
    (MODEL_PLACE, "production/churn", ("production", "churn")),
    (PLACED_VERSION, "production/churn@11", ("production", VersionRef("churn", 11))),
]


@pytest.mark.parametrize(("kind", "text", "value"), FORMS)
def test_a_form_is_read_and_read_again(kind: click.ParamType, text: str, value: Any) -> None:
    read = kind.convert(text, None, None)
    assert read == value
    assert kind.convert(read, None, None) is read


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((PLACE, text) for text in ("", "/", "/churn", "production/", "production/churn/1", "production/churn@2")),
        *((MODEL_PLACE, text) for text in ("production", "production/", "", "production/churn@2")),
        *((PLACED_VERSION, text) for text in ("churn@11", "production", "/churn@11")),
    ],
)
def test_another_form_is_a_usage_error(kind: click.ParamType, text: str) -> None:
    with pytest.raises(MlgitError) as caught:
        kind.convert(text, None, None)
    assert [finding.id for finding in caught.value.findings] == ["place-invalid"]
    assert caught.value.exit == 2


def test_a_place_with_a_version_is_told_without_it() -> None:
    with pytest.raises(MlgitError) as caught:
        MODEL_PLACE.convert("production/churn@2", None, None)
    (finding,) = caught.value.findings
    assert finding.message == "'production/churn@2' names a version, and this command takes none"
    assert finding.fix == "leave out @N: production/churn"


@pytest.mark.parametrize("reason", [" ", "\n\t"])
def test_a_blank_reason_is_a_usage_error(reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hold", "add", "production", "--reason", reason]) == 2
    assert "Invalid value for '--reason': it is blank: say why, in a few words" in capsys.readouterr().err


HELD = [
    ("production", False, ("production", None, None)),
    ("production/churn", False, ("production", "churn", None)),
    ("production/churn@11", False, ("production", "churn", 11)),
    (None, True, (None, None, None)),
    ("churn", True, (None, "churn", None)),
    ("churn@11", True, (None, "churn", 11)),
]


@pytest.mark.parametrize(("text", "everywhere", "value"), HELD)
def test_what_a_hold_names(text: str | None, everywhere: bool, value: Any) -> None:
    assert _subject(text, everywhere=everywhere) == value


@pytest.mark.parametrize(
    ("text", "everywhere"), [(None, False), ("/churn", False), ("production/", False), ("production/churn", True)]
)
def test_what_a_hold_cannot_name(text: str | None, everywhere: bool) -> None:
    with pytest.raises(MlgitError) as caught:
        _subject(text, everywhere=everywhere)
    assert [finding.id for finding in caught.value.findings] == ["hold-environment-ambiguous"]


def test_a_version_of_another_model_is_a_usage_error() -> None:
    assert number_of(VersionRef("churn", 3), "churn", "--supersedes") == 3
    with pytest.raises(click.BadParameter, match=r"churn@3 is not a version of trees\."):
        number_of(VersionRef("churn", 3), "trees", "--supersedes")


def test_times_and_dates() -> None:
    assert TIME.convert("4h", None, None) == timedelta(hours=4)
    assert DATE.convert("2026-12-01", None, None) == date(2026, 12, 1)
    with pytest.raises(click.BadParameter, match="'soon' is not a time: write 4h"):
        TIME.convert("soon", None, None)
    with pytest.raises(click.BadParameter, match="'4h' is not a date: write it as 2026-12-01"):
        DATE.convert("4h", None, None)


# One meaning


@pytest.mark.parametrize(("words", "command"), LEAVES.items(), ids=list(LEAVES))
def test_an_option_means_the_same_everywhere(words: str, command: click.Command) -> None:
    assert {"--format", "--json"} <= options(command)
    by_name = {option.opts[-1]: option for option in command.params if isinstance(option, click.Option)}
    assert by_name["--format"].help == "Output format."
    assert list(by_name["--format"].type.choices)[:2] == ["text", "json"]  # type: ignore[attr-defined]  # a choice
    assert ("--to" in by_name) == (words == "promote")
    for name, kind in {"--until": TIME, "--review-by": DATE}.items():
        assert name not in by_name or by_name[name].type is kind
    for name, metavar in {
        "--env": "ENV",
        "--to": "ENV",
        "--at": "REV",
        "--since": "REV",
        "--approver": "PERSON",
    }.items():
        assert name not in by_name or by_name[name].metavar == metavar
    for name in ("--reason", "--incident"):
        assert name not in by_name or by_name[name].type is REASON
    assert not {"--by", "--expires", "--hold", "--most"} & set(by_name)


@pytest.mark.parametrize(("words", "command"), LEAVES.items(), ids=list(LEAVES))
def test_every_option_and_argument_has_a_help_or_a_name(words: str, command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, (words, parameter.name)
            assert parameter.help[0].isupper(), (words, parameter.name)


LISTS = {"hold": "lift", "override": "approve", "standing-approval": "approve"}


@pytest.mark.parametrize(("name", "verb"), LISTS.items())
def test_lists_of_things_have_the_same_verbs(name: str, verb: str) -> None:
    group = cli.get_command(click.Context(cli), name)
    assert isinstance(group, click.Group)
    assert set(group.commands) == {"add", "list", verb}


# Formats


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"], ["--format=json"]])
def test_json_may_be_asked_for_in_each_way(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", *words]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "mlgit/schema-list.v1"
    assert run(["explain", "no-such-id", *words]) != 0
    assert json.loads(capsys.readouterr().out)["schema"] == "mlgit/error.v1"


def test_text_may_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "--format", "text"]) == 0
    assert capsys.readouterr().out.startswith("KIND ")
    assert run(["schema", "--format", "xml"]) == 2


# Completion


def completed(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    monkeypatch.chdir(folder)
    environment = {
        "_MLGIT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["mlgit", *words]),
        "COMP_CWORD": str(len(words)),
    }
    answer = CliRunner().invoke(cli, [], prog_name="mlgit", env=environment)
    return [line.partition(",")[2] for line in answer.output.splitlines() if line]


def test_commands_and_options_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(tmp_path, monkeypatch, "standing-") == ["standing-approval"]
    assert completed(tmp_path, monkeypatch, "standing-approval", "a") == ["add", "approve"]
    assert completed(tmp_path, monkeypatch, "override", "add", "--app") == ["--approver"]


@pytest.mark.parametrize("words", [("apply", ""), ("hold", "add", ""), ("override", "add", ""), ("merge", "")])
def test_completing_outside_of_a_project_offers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    assert completed(tmp_path, monkeypatch, *words) == []


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one thing of each kind; completion reads names only."""
    root = tmp_path_factory.mktemp("project")
    for path in (
        "mlgit.yaml",
        "models/churn/model.yaml",
        "models/churn/versions/v1/version.json",
        "models/churn/versions/v10/version.json",
        "environments/production/environment.yaml",
        "environments/staging/environment.yaml",
        "policies/strict.yaml",
        "problems/churn.yaml",
        "datasets/visits/dataset.yaml",
        "holds/production/churn@1.yaml",
        "overrides/incident-7.yaml",
        "standing-approvals/staging/churn.yaml",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("not read")
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*person, "commit", "--quiet", "--message", "begin"),
        ("tag", "release-1"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


PLACES = ["production", "staging", "production/churn", "staging/churn"]
VERSIONS = ["production/churn@10", "production/churn@1", "staging/churn@10", "staging/churn@1"]
OFFERED: list[tuple[tuple[str, ...], list[str]]] = [
    (("apply", ""), PLACES),
    (("apply", "prod"), ["production", "production/churn"]),
    (("merge", ""), PLACES[2:]),
    (("recertify", "staging/"), ["staging/churn"]),
    (("hold", "add", ""), [*PLACES, *VERSIONS]),
    (("hold", "lift", ""), ["production/churn@1"]),
    (("override", "add", "production/churn@"), VERSIONS[:2]),
    (("override", "add", "production/churn@1", "--waive", "beats-b"), ["beats-baseline"]),
    (("override", "approve", ""), ["incident-7"]),
    (("standing-approval", "approve", ""), ["staging/churn"]),
    (("rollback", "production", "--to-version", ""), ["churn@10", "churn@1"]),
    (("gate", "churn@1", "--env", "s"), ["staging"]),
    (("train", ""), ["churn"]),
    (("show", "churn"), ["churn", "churn@10", "churn@1"]),
    (("show", "other@"), []),
    (("lineage", "churn@1"), ["churn@10", "churn@1"]),
    (("data", "check", ""), ["visits"]),
    (("policy", "replay", ""), ["strict"]),
    (("new", "model", "x", "--problem", ""), ["churn"]),
    (("status", "--at", ""), ["main", "release-1"]),
    (("at", "rel"), ["release-1"]),
]


@pytest.mark.parametrize(("words", "offered"), OFFERED)
def test_what_there_is_is_offered(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], offered: list[str]
) -> None:
    assert completed(project, monkeypatch, *words) == offered


def test_open_promotions_are_offered_before_all_others(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    branch = "mlgit/promote/staging/churn"
    subprocess.run(["git", "branch", branch], cwd=project, check=True)
    try:
        assert completed(project, monkeypatch, "merge", "") == ["staging/churn"]
        assert completed(project, monkeypatch, "merge", "mlgit/") == [branch]
    finally:
        subprocess.run(["git", "branch", "-q", "-D", branch], cwd=project, check=True)


NAMES = ("MODEL", "ENV", "REV", "POLICY", "DATASET", "GATE", "PROMOTION", "COMMIT")


def test_every_name_that_a_command_takes_is_completed() -> None:
    """A parameter whose form shows one of these words suggests what exists."""
    silent = [
        f"{name} {parameter.name}"
        for name, command in leaves().items()
        for parameter in command.params
        if any(word in str(parameter.metavar or parameter.name) for word in NAMES)
        and type(parameter.type).shell_complete is click.ParamType.shell_complete
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("s", "status"), ("train ", "churn"), ("override add production/churn@1", "production/churn@1")],
)
def test_completing_imports_no_command_and_no_operation(project: Path, typed: str, offered: str) -> None:
    heavy = "('mlgit.cli.params', 'mlgit.cli.session', 'mlgit.workspace', 'mlgit.ops', 'mlgit.domain')"
    listed = f"print([name for name in sys.modules if name.startswith({heavy})])"
    script = f"import sys, atexit; atexit.register(lambda: {listed}); from mlgit.cli.main import run; run([])"
    variables = {"COMP_WORDS": f"mlgit {typed}", "COMP_CWORD": str(typed.count(" ") + 1)}
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project,
        env=os.environ | {"_MLGIT_COMPLETE": "bash_complete"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{offered}\n" in result.stdout
    assert result.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_completes_from_the_table_as_it_does_itself(name: str) -> None:
    context = click.Context(cli)
    real = cli.get_command(context, name)
    assert real is not None
    assert described(completions.command(name), context) == described(real, context)


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "dataset", "flights", "--owner="],
        ["init", "team", "--owner", ""],
        ["hold", "add", "--reason=", "--env", "production"],
        ["promote", "", "--to", "staging"],
        ["validate", "--base="],
        ["-C", "", "status"],
    ],
    ids=" ".join,
)
def test_an_argument_without_content_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Leave it out, or say what is meant." in capsys.readouterr().err
