"""Graphs for Graphviz: whatever a repository names things, it stays inside its quotes."""

import re

import pytest

from mlgit.cli.render import dot

QUOTED = r'"(?:[^"\\]|\\.)*"'
LINE = re.compile(rf"  {QUOTED}(?: -> {QUOTED})? \[label={QUOTED}\];")


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("plain", "plain"),
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("ends in \\", r"ends in \\"),
        ('\\"]; evil [label="', r"\\\"]; evil [label=\""),
        ("\\N and \\G", r"\\N and \\G"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("<b>not html</b>", "<b>not html</b>"),
        ("two\nlines", r"two\\u000alines"),
        ("\x1b[31mred", r"\\u001b[31mred"),
    ],
)
def test_a_label_cannot_end_its_quotes(label: str, written: str) -> None:
    lines = dot.graph([("a", label)], [("a", label, label)]).splitlines()
    assert lines[0] == "digraph lineage {"
    assert lines[-1] == "}"
    node, edge = lines[3:5]
    assert node == f'  "a" [label="{written}"];'
    assert edge.endswith(f'[label="{written}"];')
    assert LINE.fullmatch(node)
    assert LINE.fullmatch(edge)
    assert len(lines) == 6
