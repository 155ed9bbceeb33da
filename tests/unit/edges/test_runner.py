"""Outputs and summaries of a workflow step: a value cannot set another output."""

import re
from pathlib import Path

import pytest

from mlgit.edges.runner import Runner
from mlgit.errors import Inconclusive


def read(text: str) -> dict[str, str]:
    """Read outputs as the runner does: up to the delimiter that the first line names."""
    outputs, lines = {}, iter(text.split("\n"))
    for line in lines:
        if line:
            name, _, end = line.partition("<<")
            outputs[name] = "\n".join(iter(lambda: next(lines), end))
    return outputs


@pytest.mark.parametrize("value", ["yes", "", "a\nb=c\nd<<EOF\ne\nEOF", "::set-output name=x::y", "mlgit-0\n"])
def test_an_output_cannot_set_another_one(tmp_path: Path, value: str) -> None:
    runner = Runner({"GITHUB_OUTPUT": str(tmp_path / "output")})
    runner.set_outputs({"answer": value, "other": "1"})
    assert read((tmp_path / "output").read_text()) == {"answer": value, "other": "1"}


def test_every_output_has_its_own_delimiter(tmp_path: Path) -> None:
    Runner({"GITHUB_OUTPUT": str(tmp_path / "output")}).set_outputs({"a": "1", "b": "1"})
    assert len(set(re.findall("<<(.*)", (tmp_path / "output").read_text()))) == 2


def test_a_summary_is_cut_at_the_limit(tmp_path: Path) -> None:
    Runner({"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}).add_summary("ä" * (1 << 20))
    assert (tmp_path / "summary").stat().st_size == (1 << 20) + 1


def test_outside_a_workflow_there_is_no_event_and_no_output() -> None:
    runner = Runner({})
    runner.add_summary("a")
    runner.set_outputs({"a": "1"})
    assert (runner.event_name, runner.event_payload()) == (None, None)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive):
        Runner({"GITHUB_EVENT_PATH": str(tmp_path / "none")}).event_payload()
    with pytest.raises(Inconclusive):
        Runner({"GITHUB_OUTPUT": str(tmp_path / "no/output")}).set_outputs({"a": "1"})
