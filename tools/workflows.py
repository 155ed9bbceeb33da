"""Generates the reusable workflows in `.github/workflows/` from those that `mlgit init` writes: `python -m tools.workflows`.

A team that calls a reusable workflow runs the same steps as one that has its own copy; inputs replace what `init` fills in.
"""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
TEMPLATES: Final = ROOT / "templates/common/.github/workflows"
REUSABLE: Final = ROOT / ".github/workflows"

_HEAD = "# Written by `python -m tools.workflows` from {source}; changes here are lost.\n"
_ON = re.compile(r"^on:.*?(?=^permissions: \{\}$)", re.MULTILINE | re.DOTALL)
_REPLACEMENTS = (
    ("${{ inputs.model }}", "${{ inputs.model }}", "model", "Model to train; may be left out where there is only one"),
    ('"{{ base }}"\n', "${{ inputs.branch }}\n", "branch", "The base branch"),
    ("[staging, production]", "${{ fromJSON(inputs.environments) }}", "environments", "Environments, a JSON list"),
    ("${{ inputs.version }}", "${{ inputs.version }}", "version", "Version, as MODEL@N"),
    ("${{ inputs.environment }}", "${{ inputs.environment }}", "environment", "Environment"),
)
"""Text in a template, its replacement in a reusable workflow, and name and description of the input."""
_DEFAULTS = {"model": '""', "branch": "main", "environments": '\'["staging", "production"]\''}


def texts() -> dict[str, str]:
    """Return the reusable workflows by file name."""
    return {
        f"{path.stem.removeprefix('mlgit-')}.yml": _reusable(path) for path in sorted(TEMPLATES.glob("mlgit-*.yaml"))
    }


def differing() -> list[str]:
    """Return the names of files that differ from what would be written."""
    return [
        name
        for name, text in texts().items()
        if not (REUSABLE / name).is_file() or (REUSABLE / name).read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Write the reusable workflows."""
    for name, text in texts().items():
        (REUSABLE / name).write_text(text, encoding="utf-8")


def _reusable(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    inputs = []
    for template_text, replacement, name, description in _REPLACEMENTS:
        if template_text in text:
            text = text.replace(template_text, replacement)
            inputs += [f"      {name}:", f"        description: {description}", "        type: string"]
            default = _DEFAULTS.get(name)
            inputs.append("        required: true" if default is None else f"        default: {default}")
    secrets = [
        line
        for secret in sorted(set(re.findall(r"secrets\.(\w+)", text)))
        for line in (f"      {secret}:", "        required: false")
    ]
    called = ["    inputs:", *inputs] if inputs else []
    called += ["    secrets:", *secrets] if secrets else []
    call = ["on:", "  workflow_call:", *called, ""]
    text = _ON.sub(lambda _: "\n".join([*call, ""]), text)
    return _HEAD.format(source=path.relative_to(ROOT).as_posix()) + text


if __name__ == "__main__":
    main()
