"""The machine that a measurement was made on is named by its processor."""

from pathlib import Path

from mlgit.edges.hardware import describe_processor


def test_the_processor_is_the_one_that_linux_names(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nmodel name\t: ACME  Fast\u00ae 9000\nflags: x\nmodel name\t: Other\n", encoding="utf-8"
    )
    assert describe_processor(info).startswith("ACME Fast 9000, ")
    assert describe_processor(info).endswith(" cores")


def test_somewhere_else_it_is_the_architecture(tmp_path: Path) -> None:
    assert describe_processor(tmp_path / "missing").endswith(" cores")
