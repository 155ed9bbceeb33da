"""What a step hands back to the runner: nothing in a value sets another one."""

import re
from pathlib import Path

import pytest

from mlgit.edges.runner import Runner
from mlgit.errors import Inconclusive


def read(text: str) -> dict[str, str]:
    """Read outputs as the runner does: up to the delimiter that the first line names."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if line:
            name, _, end = line.partition("<<")
            found[name] = "\n".join(iter(lambda: next(lines), end))
    return found


@pytest.mark.parametrize("value", ["yes", "", "a\nb=c\nd<<EOF\ne\nEOF", "::set-output name=x::y", "mlgit-0\n"])
def test_an_output_is_read_as_it_was_meant(tmp_path: Path, value: str) -> None:
    runner = Runner({"GITHUB_OUTPUT": str(tmp_path / "output")})
    runner.output({"answer": value, "other": "1"})
    assert read((tmp_path / "output").read_text()) == {"answer": value, "other": "1"}


def test_a_delimiter_is_never_the_same(tmp_path: Path) -> None:
    Runner({"GITHUB_OUTPUT": str(tmp_path / "output")}).output({"a": "1", "b": "1"})
    assert len(set(re.findall("<<(.*)", (tmp_path / "output").read_text()))) == 2


def test_a_summary_is_cut_where_the_forge_would_refuse_it(tmp_path: Path) -> None:
    Runner({"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}).summarise("ä" * (1 << 20))
    assert (tmp_path / "summary").stat().st_size == (1 << 20) + 1


def test_outside_a_workflow_nothing_is_there_and_nothing_is_written() -> None:
    runner = Runner({})
    runner.summarise("a")
    runner.output({"a": "1"})
    assert (runner.event_name, runner.event()) == (None, None)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive):
        Runner({"GITHUB_EVENT_PATH": str(tmp_path / "none")}).event()
    with pytest.raises(Inconclusive):
        Runner({"GITHUB_OUTPUT": str(tmp_path / "no/output")}).output({"a": "1"})
