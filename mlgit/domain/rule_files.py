"""Which files of a repository are rules: whoever changes one changes how later promotions are judged, or what CI runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mlgit.domain import codeowners, layout

FOLDERS: Final = (
    layout.PROJECT,
    *codeowners.PATHS,
    ".dvc",
    ".gitea",
    ".github",
    ".mlgit",
    ".forgejo",
    "environments",
    "policies",
    "problems",
)
"""Files and folders that contain every rule, for Git to search."""

_RECORD_KINDS: Final = frozenset({"environment", "policy", "project", "roles"})
_FILES: Final[Mapping[str, str]] = {
    layout.SIGNERS: "signers",
    layout.TRUSTED_TYPES: "trusted types",
    layout.REQUIREMENTS_LOCK: "requirements",
    **dict.fromkeys((".dvc/config", ".dvc/config.local"), "DVC remote"),
    **dict.fromkeys(codeowners.PATHS, "code owners"),
}
_CI_FOLDERS: Final = tuple(
    f".{forge}/{folder}/" for forge in ("github", "gitea", "forgejo") for folder in ("workflows", "actions")
)


def rule_kind(path: str, status: str = "M") -> str | None:
    """Return what kind of rule a path is; None where it is none.

    A problem is one once it exists, since its risk decides who has to approve: to add a problem changes no rule. Other files in
    `.mlgit` are rules too, so that a new setting is one from the start; only the generated JSON Schemas are not.

    Args:
        path: the path.
        status: Git's status of its change (`A`, `M`, `D`, `T`).
    """
    if path in _FILES:
        return _FILES[path]
    if path.startswith(_CI_FOLDERS):
        return "workflow"
    place = layout.parse_path(path)
    kind = None if place is None else place.kind
    if kind in _RECORD_KINDS:
        return kind
    if kind == "problem":
        return None if status == "A" else kind
    return "setting" if path.startswith(".mlgit/") and not path.startswith(f"{layout.SCHEMAS}/") else None


def changed_rules(changes: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the kind of each rule that a change touches, by path, sorted.

    Args:
        changes: path and Git status (`A`, `M`, `D`, `T`) of each change.
    """
    kinds = ((path, rule_kind(path, status)) for path, status in sorted(changes))
    return {path: kind for path, kind in kinds if kind is not None}


def affected(paths: Collection[str], policies: Mapping[str, str]) -> set[str]:
    """Return the environments for whose promotions at least one of some rules counts.

    A policy that no environment has, and an environment that the project does not list, count for all: they may be in force soon,
    by a change that was approved while they said something else.

    Args:
        paths: the rules.
        policies: the name of the policy of each environment, by the environment's name.
    """
    counting = [{name for name, policy in policies.items() if affects(path, name, policy)} for path in paths]
    return {name for names in counting for name in names or policies}


def affects(path: str, environment: str, policy: str) -> bool:
    """Return whether a rule counts for the promotions to an environment that has a policy; most rules count for all."""
    place = layout.parse_path(path)
    if place is None or place.kind not in {"environment", "policy"}:
        return True
    return place.fields["name"] == (environment if place.kind == "environment" else policy)
