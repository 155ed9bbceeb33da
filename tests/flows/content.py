"""The content that DVC keeps for a scene: where it lies, and how it is made anew or changed behind mlgit's back."""

from pathlib import Path

from tests.flows.builder import MODEL
from tests.flows.people import Team

CACHE, STORAGE = "team/.dvc/cache", "storage"


def stored(team: Team, *places: str) -> list[Path]:
    """Return the model files of versions in some places where DVC keeps content."""
    return [
        file
        for place in places
        for file in (team.folder / place).rglob("*")
        if file.is_file() and file.read_bytes()[:2] == b"PK"
    ]


def overwrite(file: Path, content: bytes) -> None:
    """Replace a file that DVC has protected; another name of the same file keeps its content."""
    file.unlink()
    file.write_bytes(content)


def retrained(team: Team, model: bytes | None = None) -> None:
    """Train something new; the pipeline gives another model file, if one is given."""
    team.ana.edit("params.yaml", "fit: worse", "fit: better")
    if model is not None:
        team.ana.commit("Another model", {"src/fits/better/model.skops": model})
    team.ana.does(f"train {MODEL}")
