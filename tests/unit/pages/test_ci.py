"""Output in a workflow: no text of a change becomes a command of the runner, or Markdown."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.cli.render import annotations
from mlgit.errors import Finding, Location
from mlgit.ops.ci.apply import CiApplied
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.delivery.apply import Applied
from mlgit.ops.delivery.deployer import Application
from mlgit.ops.monitoring.observe import DeploymentHealth, Observations
from mlgit.pages import ci
from mlgit.pages.plain import clean

TEXTS = st.text() | st.lists(
    st.sampled_from(
        ["::", "##[", "error", "\n", "\r", "```", "`", "~~~", "@ana", "closes #1", "<!-- mlgit:verdict -->", " "]
    )
).map("".join)


def said_of(text: str) -> Verdict:
    finding = Finding("key-unknown", text, why=text, fix=text, at=Location(text, 3, text))
    return Verdict(
        event="pull_request",
        pull_request=7,
        base="main",
        base_commit="a" * 40,
        head="b" * 40,
        promotions=[text],
        findings=[finding],
    )


@given(TEXTS)
def test_a_line_of_a_log_is_no_command(text: str) -> None:
    line = annotations.log_line(text)
    assert not line.lstrip().startswith("::")
    assert "##[" not in line
    assert "\n" not in line


@given(TEXTS)
def test_an_annotation_is_one_command(text: str) -> None:
    (line,) = annotations.annotate(said_of(text).findings).splitlines()
    assert line.startswith("::error title=key-unknown,file=")
    assert line.count("::") >= 2


@given(TEXTS)
def test_what_people_wrote_stays_within_the_fence(text: str) -> None:
    for markdown in (
        ci.verdict_comment(said_of(text), "https://forge.example/run"),
        ci.observation_issue(seen_of(text)),
        ci.apply_summary(applied_of(text)),
    ):
        lines = markdown.split("\n")
        fence = next(line.removesuffix("text") for line in lines if line.startswith("```"))
        begin, end = lines.index(f"{fence}text"), lines.index(fence)
        assert begin < end
        assert all(set(fence) != set(line.strip()) or len(line.strip()) < len(fence) for line in lines[begin + 1 : end])
        outside = "\n".join(lines[:begin] + lines[end:])
        assert not any(mark in outside for mark in ("@ana", "closes #1", "<!--"))


def applied_of(text: str) -> CiApplied:
    result = Application(
        environment="production",
        model="churn",
        version="churn@1",
        state="blocked",
        promotion="01JD8ZK3M9",
        approved_by=[text],
        findings=said_of(text).findings,
    )
    return CiApplied(applied=Applied(commit="a" * 40, results=[result]))


@given(TEXTS)
def test_an_annotation_of_a_check_is_about_its_line_and_holds_nothing_that_acts(text: str) -> None:
    found = said_of(text).findings
    nowhere = msgspec.structs.replace(found[0], at=None)
    (marked,) = annotations.check_annotations([*found, nowhere])
    assert (marked.path, marked.line, marked.level, marked.title) == (text, 3, "error", "key-unknown")
    assert all(clean(line) == line for line in marked.message.split("\n"))


def seen_of(text: str) -> Observations:
    return Observations(
        results=[
            DeploymentHealth(
                environment="production", model="churn", version="churn@1", health="degraded", message=text
            )
        ]
    )


def test_a_comment_fits_however_much_is_found() -> None:
    long = said_of("`" * 5_000)
    many = msgspec.structs.replace(long, findings=long.findings * 500)
    assert len(ci.verdict_comment(many, "https://forge.example/run")) < 65_536
    assert "and 480 more" in ci.verdict_comment(many, "https://forge.example/run")


@pytest.mark.parametrize(
    ("conclusive", "findings", "words"),
    [
        (True, [], "no problems found"),
        (True, ["a"], "this change has problems"),
        (False, ["a"], "inconclusive"),
    ],
)
def test_the_first_line_is_the_answer(*, conclusive: bool, findings: list[str], words: str) -> None:
    found = msgspec.structs.replace(
        said_of("a"), conclusive=conclusive, findings=said_of("a").findings if findings else []
    )
    assert words in ci.verdict_summary(found).splitlines()[0]
