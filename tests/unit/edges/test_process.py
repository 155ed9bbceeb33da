"""Starting other programs."""

import sys
from pathlib import Path

import pytest

from mlgit.edges import process
from mlgit.errors import Inconclusive


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_gives_what_a_program_leaves() -> None:
    program = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('said'); sys.exit(3)"
    assert process.run(python(program), input=b"text", check=False) == process.Completed(3, b"TEXT", "said")


def test_stdin_is_empty_unless_something_is_given() -> None:
    assert process.run(python("import sys; print(repr(sys.stdin.read()))")).stdout.strip() == b"''"


def test_arguments_are_not_read_by_a_shell(tmp_path: Path) -> None:
    completed = process.run([*python("import sys; print(sys.argv[1])"), "$(touch pwned); *"], cwd=tmp_path)
    assert completed.stdout.decode().strip() == "$(touch pwned); *"
    assert list(tmp_path.iterdir()) == []


def test_a_failure_has_the_output() -> None:
    with pytest.raises(Inconclusive) as raised:
        process.run(python("raise SystemExit('no such stage')"))
    (finding,) = raised.value.findings
    assert (finding.id, finding.why) == ("tool-failed", "no such stage")


@pytest.mark.parametrize(
    "start", [process.run, lambda argv, **_: list(process.lines(argv)), process.open_pipe, process.Stream]
)
def test_a_missing_program_is_named_with_the_way_to_get_it(start) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Inconclusive) as raised:
        start(["/nowhere/dvc", "repro"])
    (finding,) = raised.value.findings
    assert (finding.id, finding.message, finding.fix) == (
        "tool-missing",
        "dvc cannot be started",
        "run `pip install dvc`",
    )


def test_a_missing_folder_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive) as raised:
        process.run(python(""), cwd=tmp_path / "nowhere")
    assert raised.value.findings[0].id == "folder-missing"


def test_a_slow_program_is_stopped() -> None:
    with pytest.raises(Inconclusive) as raised:
        process.run(python("import threading; threading.Event().wait()"), timeout=0.2)
    assert raised.value.findings[0].id == "tool-timeout"


def test_lines_come_from_both_outputs_in_order() -> None:
    program = "import sys\nfor n in range(3): print(n, flush=True); print('e', n, file=sys.stderr, flush=True)"
    assert list(process.lines(python(program))) == ["0", "e 0", "1", "e 1", "2", "e 2"]


def test_lines_come_while_the_program_runs_and_leaving_stops_it() -> None:
    lines = process.lines(python("import threading; print('first', flush=True); threading.Event().wait()"))
    assert next(lines) == "first"
    del lines  # returns only because the program was stopped


def test_lines_end_in_the_reason_of_a_failure() -> None:
    lines = process.lines(python("print('step 1'); raise SystemExit('stage failed')"))
    with pytest.raises(Inconclusive, match="failed") as raised:
        list(lines)
    assert raised.value.findings[0].why == "step 1 stage failed"


def test_lines_of_a_slow_program_end() -> None:
    with pytest.raises(Inconclusive) as raised:
        list(process.lines(python("import threading; threading.Event().wait()"), timeout=0.2))
    assert raised.value.findings[0].id == "tool-timeout"


def test_a_stream_survives_much_talk_on_stderr() -> None:
    program = "import sys; sys.stderr.write('x' * 1_000_000); sys.stdout.write('out'); sys.exit(2)"
    with process.Stream(python(program)) as stream:
        assert b"".join(stream) == b"out"
        assert (stream.code, len(stream.stderr)) == (2, 1_000_000)


def test_a_pipe_answers_until_it_is_ended() -> None:
    program = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
    pipe = process.open_pipe(python(program))
    assert pipe.stdin is not None
    assert pipe.stdout is not None
    for word, answer in ((b"abc\n", b"cba\n"), (b"12\n", b"21\n")):
        pipe.stdin.write(word)
        pipe.stdin.flush()
        assert pipe.stdout.readline() == answer
    process.end(pipe)
    assert pipe.returncode is not None
