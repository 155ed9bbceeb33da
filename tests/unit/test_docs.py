"""The documentation says what is there: reference pages are what the code would write, and nothing points into the void."""

import re
from pathlib import Path

import pytest

from mlgit import explanations
from mlgit.cli.main import COMMANDS
from mlgit.domain.gates import REGISTRY
from mlgit.domain.layout import parse_path
from mlgit.domain.records import KINDS
from mlgit.edges.formats.records import read_record
from tools import examples, reference
from tools.example_gates import GATES
from tools.fields import anchor

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$|^    .*$", re.MULTILINE | re.DOTALL)
# Paths of this repository, as prose names them: `mlgit/cli/main.py`, `docs/adr`. Others are those of a user's repository.
OWN = re.compile(r"`((?:mlgit|docs|tools|demo|tests|benchmarks|templates)/[\w./-]+)`")
SCHEMA_IDS = re.compile(r"mlgit/[a-z-]+\.v\d+|mlgit/verdict|mlgit/promote/.*")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {anchor(line.replace("`", "")) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_the_reference_is_what_the_code_would_write() -> None:
    assert reference.differing() == [], "run `make docs`"


def test_a_page_that_differs_is_found_and_written_again(tmp_path: Path) -> None:
    reference.write(tmp_path)
    (tmp_path / "gates.md").write_text("by hand")
    (tmp_path / "records/old.md").write_text("a kind that is gone")
    assert reference.differing(tmp_path) == ["gates.md", "records/old.md"]
    reference.write(tmp_path)
    assert reference.differing(tmp_path) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        file, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        to = (page.parent / file).resolve() if file else page
        if not to.exists() or (fragment and fragment not in headings(to)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_of_this_repository_that_is_named_exists(page: Path) -> None:
    paths = [path for path in OWN.findall(prose(page)) if not SCHEMA_IDS.fullmatch(path) and "<" not in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_that_are_named_exist(page: Path) -> None:
    words = set(re.findall(r"`mlgit ([a-z][a-z-]*)", prose(page)))
    assert words - set(COMMANDS) == set()


def test_every_command_gate_finding_and_record_has_its_place() -> None:
    pages = reference.pages()
    for name in COMMANDS:
        assert f"\n## mlgit {name}\n" in pages["commands.md"]
    for name in REGISTRY:
        assert f"\n## {name}\n" in pages["gates.md"]
    for name, title in explanations.index().families.items():
        assert pages["findings.md"].count(f"\n## {title}\n") == 1, name
    for name in explanations.index().findings:
        assert pages["findings.md"].count(f"\n### {name}\n") == 1
    for kind in KINDS:
        assert f"({kind}.md)" in pages["records/README.md"]
        assert pages[f"records/{kind}.md"].count("\n## Example\n") == 1
    for tag in reference.outcomes():
        assert f"\n## {tag}\n" in pages["json.md"]


@pytest.mark.parametrize("kind", KINDS)
def test_examples_of_records_are_valid_where_they_are_said_to_be(kind: str) -> None:
    path, text = examples.of(kind)
    found = parse_path(path)
    assert found is not None
    assert found.kind == kind
    assert isinstance(read_record(path, text.encode()), KINDS[kind])


def test_examples_of_gates_are_valid_in_a_policy() -> None:
    lines = "\n".join(f"  {line}" for line in GATES.values())
    policy = read_record("policies/all.yaml", f"kind: policy\nschema: 1\nname: all\ngates:\n{lines}\n".encode())
    assert [gate.kind for gate in policy.gates] == list(REGISTRY)  # type: ignore[attr-defined]  # it is a policy by its place


def test_whole_records_that_people_wrote_into_pages_are_valid() -> None:
    checked = []
    for page in PAGES:
        for text in re.findall(r"^ *```yaml\n(kind: policy\n.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
            name = re.findall(r"^name: (.+)$", text, re.MULTILINE)[0]
            checked.append(read_record(f"policies/{name}.yaml", text.encode()))
    assert checked


def test_the_glossary_is_in_order_and_names_no_term_twice() -> None:
    text = (ROOT / "docs/reference/glossary.md").read_text(encoding="utf-8").partition("\n## ")[0]
    terms = [line.split("|")[1].strip().lower() for line in text.splitlines() if line.startswith("| ")][1:]
    assert terms == sorted(set(terms))
    assert {"champion", "decision", "gate", "ledger", "promotion", "signed exception", "soak", "version"} <= set(terms)


def test_the_index_names_every_page_that_people_wrote() -> None:
    written = [page for page in (ROOT / "docs").rglob("*.md") if "reference" not in page.parts]
    linked = {(ROOT / "docs" / target).resolve() for target in LINK.findall((ROOT / "docs/README.md").read_text())}
    assert [named(page) for page in written if page.resolve() not in linked | {ROOT / "docs/README.md"}] == []
