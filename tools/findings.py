"""The pages about findings: the index of their ids, and the reference page of all findings."""

import re
from pathlib import Path

import msgspec

from mlgit import explanations
from mlgit.explanations import FindingEntry, Index
from mlgit.ops.project.explain import nested
from tools.fields import anchor

FOLDER = Path(explanations.__file__).parent
LIST = "## Findings"
_ITEM = re.compile(r"^- `([a-z0-9-]+)`: (.+(?:\n  .+)*)", re.MULTILINE)


def index(folder: Path = FOLDER) -> Index:
    """Read the index from the pages: each lists its findings below a heading of its own.

    Raises:
        ValueError: an id is on two pages.
    """
    families: dict[str, str] = {}
    findings: dict[str, FindingEntry] = {}
    for path in sorted(folder.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        families[path.stem] = text.partition("\n")[0].removeprefix("# ")
        for id_, meaning in _ITEM.findall(_parts(text)[1]):
            if id_ in findings:
                raise ValueError(f"{id_} is on the pages {findings[id_].family} and {path.stem}")
            findings[id_] = FindingEntry(path.stem, re.sub(r"\s+", " ", meaning))
    return Index(families, dict(sorted(findings.items())))


def encoded(index: Index) -> str:
    """Return the index as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(index), indent=1).decode() + "\n"


def write_index(folder: Path = FOLDER) -> None:
    """Write the index into the folder of the pages."""
    (folder / explanations.INDEX).write_text(encoded(index(folder)), encoding="utf-8", newline="\n")


def page() -> str:
    """Return the reference page: an alphabetical table of all findings, then each family with its findings."""
    entries = index()
    lines = ["# Findings", "", _INTRODUCTION, "", "| family | about |", "|---|---|"]
    lines += [f"| `{name}` | [{title}](#{anchor(title)}) |" for name, title in entries.families.items()]
    lines += ["", "## All findings", "", "| finding | family |", "|---|---|"]
    lines += [
        f"| [{id_}](#{id_}) | [{entries.families[entry.family]}](#{anchor(entries.families[entry.family])}) |"
        for id_, entry in entries.findings.items()
    ]
    for name in entries.families:
        before, _, after = _parts(explanations.page(name))
        lines += ["", nested(before + after).strip()]
        for id_, entry in entries.findings.items():
            if entry.family == name:
                lines += ["", f"### {id_}", "", entry.meaning]
    return "\n".join(lines)


def _parts(text: str) -> tuple[str, str, str]:
    """Split a page into what comes before its list of findings, the list, and what comes after."""
    before, _, rest = text.partition(f"\n{LIST}\n")
    listed, heading, after = rest.partition("\n## ")
    return before, listed, heading + after


_INTRODUCTION = """\
A message begins with the id of a finding in brackets, as in `error[version-unknown]`. Findings about one subject are a
family, and each family has a page: what the rule is and why, how it is broken, and how to fix it.
`mlgit explain ID` prints what is specific to a finding, and the page of its family; `mlgit explain FAMILY` prints the
page. An error stops the command, a warning does not, a note only informs."""
