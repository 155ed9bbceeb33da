"""Templates: the files that `mlgit init` and `mlgit new` write, with placeholders to fill in.

A placeholder is `{{ name }}`, in a text or in a path; `{{ version:package }}` stands for an installed version.
"""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from mlgit import __version__

TEMPLATES: Final = {
    "tabular-classification": "a worked example: which biopsies are malignant",
    "tabular-regression": "a worked example: how far a disease goes in a year",
    "bring-your-own": "for data of your own; you describe it first",
}
"""What `mlgit init` can start from, the default first, each in a few words."""

_COMMON: Final = "common"
_WORKFLOWS: Final = ".github/workflows/"
_VALIDATE: Final = f"{_WORKFLOWS}mlgit-validate.yaml"
_DATA: Final = frozenset({".csv", ".parquet"})
_PLACEHOLDER = re.compile(r"(?<!\$)\{\{ (?P<name>\w+)(:(?P<package>[\w-]+))? \}\}")  # `${{ }}` is GitHub's own


def project(name: str, forge: str = "none") -> dict[str, bytes]:
    """Return the files of a project by path: those of a template, over those that all projects have.

    The workflow that checks changes comes along with any forge, for it does nothing anywhere else; the others with GitHub.
    """
    common = _files(_folder() / _COMMON)
    if forge != "github":
        common = {path: text for path, text in common.items() if not path.startswith(_WORKFLOWS) or path == _VALIDATE}
    return common | _files(_folder() / name)


def draft(kind: str) -> bytes:
    """Return the file that `mlgit new` begins a record, or a card (`card`), with."""
    (path,) = (_folder() / "new").glob(f"{kind}.*")
    return path.read_bytes()


def hook(name: str, command: str) -> bytes:
    """Return a hook for Git that runs mlgit, which `command` starts, in words for a shell."""
    path = _folder() / "hooks" / name
    return render({name: path.read_bytes()}, {"command": command})[name]


def render(files: Mapping[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """Fill in the placeholders in the paths and the texts of files; data is left as it is.

    Raises:
        ValueError: there is no value for a placeholder.
    """
    return {
        _fill(path, values): content if Path(path).suffix in _DATA else _fill(content.decode(), values).encode()
        for path, content in files.items()
    }


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found["package"] is not None and found["name"] == "version":
            return __version__ if found["package"] == "mlgit" else version(found["package"])
        if found["package"] is None and found["name"] in values:
            return values[found["name"]]
        raise ValueError(f"a template has the placeholder {found[0]}, which has no value")

    return _PLACEHOLDER.sub(value, text)


def _folder() -> Path:
    """Return where the templates are: inside an installed wheel, else beside the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
