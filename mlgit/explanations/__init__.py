"""What each finding means and what leads out of it: one Markdown file an id, named like it."""

from importlib.resources import files


def ids() -> list[str]:
    """Return the ids that have an explanation, sorted."""
    return sorted(entry.name.removesuffix(".md") for entry in files(__name__).iterdir() if entry.name.endswith(".md"))


def text(word: str) -> str:
    """Return the explanation of an id."""
    return (files(__name__) / f"{word}.md").read_text(encoding="utf-8")
