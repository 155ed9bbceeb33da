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
    "tabular-classification": "complete example: classify biopsies as malignant or benign",
    "tabular-regression": "complete example: predict the progress of a disease in a year",
    "bring-your-own": "for your own data, which you describe first",
}
"""Templates of `mlgit init` with a summary; the first is the default."""

_COMMON: Final = "common"
_WORKFLOWS: Final = ".github/workflows/"
_VALIDATE: Final = f"{_WORKFLOWS}mlgit-validate.yaml"
_DATA: Final = frozenset({".csv", ".parquet"})
_PLACEHOLDER = re.compile(r"(?<!\$)\{\{ (?P<name>\w+)(:(?P<package>[\w-]+))? \}\}")  # `${{ }}` is GitHub's own


def project(name: str, forge: str = "none") -> dict[str, bytes]:
    """Return the files of a project by path: those of all projects, then those of the template, which take precedence.

    The workflow that checks changes is always included, since it has no effect without a forge; the others need GitHub.
    """
    common = _files(_folder() / _COMMON)
    if forge != "github":
        common = {path: text for path, text in common.items() if not path.startswith(_WORKFLOWS) or path == _VALIDATE}
    return common | _files(_folder() / name)


def matching(path: str, content: bytes | None) -> str | None:
    """Return the first template whose file has a content, or the default template for None; None if no template matches."""
    if content is None:
        return next(iter(TEMPLATES))
    return next((name for name in TEMPLATES if _files(_folder() / name).get(path) == content), None)


def draft(kind: str) -> bytes:
    """Return the draft of a record, or of a card (`card`), for `mlgit new`."""
    (path,) = (_folder() / "new").glob(f"{kind}.*")
    return path.read_bytes()


def hook(name: str, command: str) -> bytes:
    """Return a Git hook that runs mlgit; `command` starts it, quoted for a shell."""
    path = _folder() / "hooks" / name
    return render({name: path.read_bytes()}, {"command": command})[name]


def render(files: Mapping[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """Fill in the placeholders in paths and contents of files; data files are not changed.

    Raises:
        ValueError: a placeholder has no value.
    """
    return {
        _fill(path, values): content if Path(path).suffix in _DATA else _fill(content.decode(), values).encode()
        for path, content in files.items()
    }


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match["package"] is not None and match["name"] == "version":
            return __version__ if match["package"] == "mlgit" else version(match["package"])
        if match["package"] is None and match["name"] in values:
            return values[match["name"]]
        raise ValueError(f"a template has the placeholder {match[0]}, which has no value")

    return _PLACEHOLDER.sub(value, text)


def _folder() -> Path:
    """Return the folder of templates: in the package if installed from a wheel, else beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
