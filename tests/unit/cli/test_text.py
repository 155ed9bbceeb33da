"""What is shown to people and to workflows: complete, aligned, and deaf to what hostile text says."""

import re

import click
import pytest

from mlgit.cli.render import annotations, gates, text
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.errors import Finding, Location, Severity

HOSTILE = [
    *(
        "\x1b[2J\x1b[31mred",
        "\x9b2J",
        "\x1b]0;title\x07",
        "over\rwrite",
        "back\x08space",
        "nul\0",
        "del\x7f",
        "\x85next",
    ),
    *(
        "a\u202eb",
        "\u2066a\u2069",
        "\u061c",
        "\u200b\u200d",
        "\ufeffbom",
        "so\xadft",
        "\u2028line",
        "\u180e",
        "\u3164",
        "\u2800",
    ),
    *("\U000e0041tag", "\ufff9a\ufffa", "line\nerror[forged]: it is fine", "\ud800", "fe\udcffile"),
]
ACTS = re.compile(r"[^\x20-\x7e\t\xa1-\xac\xae-\u02ff]")
"""Anything beyond plain Latin text, which is all that the hostile texts may leave behind."""
PLAIN = ["", "plain", "täglich", "100 %", "日本語", "a\tb", "😀 ok", "::error::x", "\\u001b", "a\xa0b"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_clean_text_cannot_act(hostile: str) -> None:
    cleaned = text.clean(hostile)
    assert not ACTS.search(cleaned)
    assert cleaned.encode()
    assert re.search(r"\\[uU][0-9a-f]{4}", cleaned)
    assert text.clean(cleaned) == cleaned


@pytest.mark.parametrize("plain", PLAIN)
def test_clean_leaves_what_can_be_read(plain: str) -> None:
    assert text.clean(plain) == plain


def test_a_finding_shows_its_five_parts() -> None:
    found = Finding(
        "version-unknown",
        "churn@11 does not exist",
        "churn has versions 7 and 8",
        "name one of those",
        Location("a/b.yaml", 6, "slots.champion"),
    )
    assert click.unstyle(text.finding(found)).split("\n") == [
        "error[version-unknown]: churn@11 does not exist",
        "  at   a/b.yaml:6 (slots.champion)",
        "  why  churn has versions 7 and 8",
        "  fix  name one of those",
    ]


@pytest.mark.parametrize("severity", Severity)
def test_a_finding_says_how_much_it_weighs_and_leaves_out_what_it_lacks(severity: Severity) -> None:
    assert click.unstyle(text.finding(Finding("a-b", "so it is", severity=severity))) == f"{severity}[a-b]: so it is"


@pytest.mark.parametrize("field", ["message", "why", "fix", "file", "path"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_part_of_a_finding_acts_or_looks_like_another(field: str, hostile: str) -> None:
    place = {"file": "a.yaml", "path": "b"} | ({field: hostile} if field in {"file", "path"} else {})
    words = {"message": "m", "why": "w", "fix": "f"} | ({field: hostile} if field not in place else {})
    shown = click.unstyle(text.finding(Finding("a-b", **words, at=Location(place["file"], 3, place["path"]))))
    first, *rest = shown.split("\n")
    assert not any(ACTS.search(line) for line in (first, *rest))
    assert first.startswith("error[a-b]: ")
    assert all(line.startswith(("  at   ", "  why  ", "  fix  ", "       ")) for line in rest)


def test_a_long_reason_is_indented() -> None:
    shown = click.unstyle(text.finding(Finding("a-b", "one\ntwo", "three\nfour")))
    assert shown == "error[a-b]: one\n       two\n  why  three\n       four"


def test_a_table_is_as_wide_as_its_widest_cells() -> None:
    shown = text.table(["MODEL", "N"], [["a", "1"], ["longer-name", "22"]])
    assert shown.split("\n") == ["MODEL        N", "a            1", "longer-name  22"]
    assert text.table(["MODEL", "N"], []) == "MODEL  N"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_cell_stays_in_its_row(hostile: str) -> None:
    shown = text.table(["A", "B"], [["x", "y"], [hostile, "z"]])
    lines = shown.split("\n")
    assert len(lines) == 3
    assert not any(ACTS.search(line) for line in lines)
    assert {line.rindex(last) for line, last in zip(lines, "Byz", strict=True)} == {lines[0].index("B")}


def test_colour_only_repeats_the_word_of_an_outcome() -> None:
    rows = [["pass", "first"], ["fail", "passes on"], ["", "none"]]
    shown = text.table(["SAYS", "WHAT"], rows, words=[0])
    assert click.unstyle(shown) == text.table(["SAYS", "WHAT"], rows)
    assert click.style("pass", fg="green") in shown
    assert click.unstyle(shown.split("\n")[2]) == "fail  passes on"


@pytest.mark.parametrize("outcome", ["pass", "fail", "error", "wait", "waived", "skip", "warning", "note", "degraded"])
def test_every_word_is_readable_without_colour(outcome: str) -> None:
    assert click.unstyle(text.word(outcome, 10)) == outcome.ljust(10)


def test_the_next_step_is_last_and_harmless() -> None:
    assert click.unstyle(text.following("mlgit status")) == "\nNext: mlgit status"
    assert click.unstyle(text.following("cd a\x1b]b\nrm -rf")) == "\nNext: cd a\\u001b]b\\u000arm -rf"
    assert text.following(None) == ""


@pytest.mark.parametrize("hostile", HOSTILE)
def test_each_gate_has_one_line(hostile: str) -> None:
    verdicts = [
        GateVerdict(gate="size", outcome="pass", message="1 MB of 50 MB"),
        GateVerdict(gate="data-contract", outcome="fail", message=hostile),
    ]
    first, second = click.unstyle(gates.gates(verdicts)).split("\n")
    assert first == "  pass    size           1 MB of 50 MB"
    assert second.startswith("  fail    data-contract  ")
    assert not ACTS.search(second)
    assert gates.gates([]) == ""


def unescaped(value: str) -> str:
    """Return what a runner reads: the reverse of the escapes of workflow commands."""
    for escape, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        value = value.replace(escape, sign)
    return value


@pytest.mark.parametrize(
    ("severity", "command"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")]
)
def test_an_annotation_is_on_the_line_that_it_is_about(severity: Severity, command: str) -> None:
    found = Finding(
        "a-b", "it differs", "for a reason", "do this", Location("models/a/model.yaml", 6, "name"), severity
    )
    expected = f"::{command} title=a-b,file=models/a/model.yaml,line=6::it differs%0Afor a reason%0Ado this"
    assert annotations.annotation(found) == expected


def test_an_annotation_without_a_place_or_line_says_what_it_has() -> None:
    assert annotations.annotation(Finding("a-b", "so")) == "::error title=a-b::so"
    assert annotations.annotation(Finding("a-b", "so", at=Location("a.yaml"))) == "::error title=a-b,file=a.yaml::so"


@pytest.mark.parametrize(
    "hostile",
    [*HOSTILE, "::error::forged", "\n::stop-commands::x", "a::b", "a,line=1::b", "100%0A::error::x", "%3A%2C", "a,b:c"],
)
def test_hostile_text_neither_ends_a_command_nor_begins_another(hostile: str) -> None:
    shown = annotations.annotation(Finding("a-b", hostile, hostile, hostile, Location(hostile, 7)))
    assert len(shown.splitlines()) == 1
    assert not ACTS.search(shown)
    match = re.fullmatch(r"::error title=a-b,file=([^,:]*),line=7::(.*)", shown)
    assert match is not None
    harmless = "\n".join(text.clean(line) for line in hostile.replace("\r", "\n").split("\n"))
    assert unescaped(match[1]).replace("\r", "\n") == harmless
    assert unescaped(match[2]).replace("\r", "\n") == "\n".join([harmless] * 3)
