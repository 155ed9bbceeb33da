"""Where each kind of file lives in a team's repository: the one place that knows paths."""

import functools
import re
from typing import Final

import msgspec

PROJECT: Final = "mlgit.yaml"
ROLES: Final = ".mlgit/roles.yaml"
SIGNERS: Final = ".mlgit/allowed_signers"
TRUSTED_TYPES: Final = ".mlgit/trusted_types"
SCHEMAS: Final = ".mlgit/schemas"
LEDGER: Final = "refs/heads/mlgit-ledger"
WRITTEN: Final = frozenset({"problems", "policies", "environments", "holds", "overrides", "standing-approvals"})
"""Folders that hold nothing but records that people write, and what they say of them."""

_N = r"[^/]+"
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("project", r"mlgit\.yaml"),
    ("roles", r"\.mlgit/roles\.yaml"),
    ("problem", rf"problems/(?P<name>{_N})\.yaml"),
    ("dataset", rf"datasets/(?P<name>{_N})/dataset\.yaml"),
    ("model", rf"models/(?P<name>{_N})/model\.yaml"),
    ("version", rf"models/(?P<model>{_N})/versions/v(?P<version>[0-9]{{1,9}})/version\.json"),
    ("gate-report", rf"models/(?P<model>{_N})/versions/v(?P<version>[0-9]{{1,9}})/gates/(?P<promotion>{_N})\.json"),
    ("environment", rf"environments/(?P<name>{_N})/environment\.yaml"),
    ("promotion", rf"environments/(?P<environment>{_N})/(?P<model>{_N})\.yaml"),
    ("policy", rf"policies/(?P<name>{_N})\.yaml"),
    ("hold", r"holds/(?P<name>.+)\.yaml"),
    ("override", r"overrides/(?P<name>.+)\.yaml"),
    ("standing-approval", r"standing-approvals/(?P<name>.+)\.yaml"),
    ("retirement", rf"retirements/(?P<model>{_N})/v(?P<version>[0-9]{{1,9}})\.yaml"),
    ("approval", rf"approvals/(?P<promotion>{_N})/{_N}\.json"),
    ("reviews", rf"reviews/(?P<promotion>{_N})/[0-9]{{1,9}}\.json"),
    ("decision", rf"decisions/(?P<promotion>{_N})\.json"),
    ("deployment", rf"deployments/(?P<environment>{_N})/(?P<model>{_N})/(?P<seq>[0-9]{{1,9}})\.json"),
)
_KINDS: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _kind, _pattern in _PATTERNS:
    _KINDS.setdefault(_pattern.partition("/")[0].replace("\\", ""), []).append((_kind, re.compile(_pattern)))
_VERSION_LIKE = re.compile(rf"models/{_N}/versions/{_N}/version\.json")
_LABEL = re.compile(r"v[1-9][0-9]{0,8}")
_SEQUENCE = re.compile(r"[1-9][0-9]{0,8}\.json")


class Place(msgspec.Struct, frozen=True):
    """The kind of a file, and what its path says that its content must say too."""

    kind: str
    says: dict[str, str]


@functools.lru_cache(maxsize=1 << 15)  # one path is asked about in many places
def place(path: str) -> Place | None:
    """Return what kind of record belongs at a path; None where no record does."""
    if not path.endswith((".json", ".yaml")):  # most files of a large repository
        return None
    for kind, pattern in _KINDS.get(path.partition("/")[0], ()):
        if match := pattern.fullmatch(path):
            return Place(kind, match.groupdict())
    return None


def meant(path: str) -> str | None:
    """Return the path by which a file would be a record that people write, if only its extension is in the way."""
    stem, _, extension = path.rpartition(".")
    if extension == "yaml" or extension.lower() not in {"yaml", "yml", "json"}:
        return None
    return None if place(f"{stem}.yaml") is None else f"{stem}.yaml"


def is_version_like(path: str) -> bool:
    """Tell whether a path is that of a version's record, whatever the label looks like."""
    return path.endswith("/version.json") and _VERSION_LIKE.fullmatch(path) is not None


def label(folder: str) -> int | None:
    """Return the label of a version by the name of its folder; None where that is none."""
    return int(folder[1:]) if _LABEL.fullmatch(folder) else None


def sequence(file: str) -> int | None:
    """Return the number of a deployment, or of what a forge told, by the name of its file; None where that is none."""
    return int(file.removesuffix(".json")) if _SEQUENCE.fullmatch(file) else None


def problem(name: str) -> str:
    """Path of a problem."""
    return f"problems/{name}.yaml"


def dataset(name: str) -> str:
    """Path of a dataset's contract."""
    return f"datasets/{name}/dataset.yaml"


def model(name: str) -> str:
    """Path of a model."""
    return f"models/{name}/model.yaml"


def model_card(name: str) -> str:
    """Path of the prose that the cards of all versions of a model take over."""
    return f"models/{name}/card.md"


def version_folder(model: str, number: int) -> str:
    """Folder of a version."""
    return f"models/{model}/versions/v{number}"


def version(model: str, number: int) -> str:
    """Path of a version's record."""
    return f"{version_folder(model, number)}/version.json"


def card(model: str, number: int) -> str:
    """Path of a version's card."""
    return f"{version_folder(model, number)}/card.md"


def profile(model: str, number: int) -> str:
    """Path of a version's reference profile."""
    return f"{version_folder(model, number)}/profile.json"


def gate_report(model: str, number: int, promotion: str) -> str:
    """Path of a gate report."""
    return f"{version_folder(model, number)}/gates/{promotion}.json"


def environment(name: str) -> str:
    """Path of an environment."""
    return f"environments/{name}/environment.yaml"


def promotion(environment: str, model: str) -> str:
    """Path of the manifest that says which version of a model an environment is to run."""
    return f"environments/{environment}/{model}.yaml"


def policy(name: str) -> str:
    """Path of a policy."""
    return f"policies/{name}.yaml"


def retirement(model: str, number: int) -> str:
    """Path of the record that ends a version's life."""
    return f"retirements/{model}/v{number}.yaml"


def hold(name: str) -> str:
    """Path of a hold."""
    return f"holds/{name}.yaml"


def version_hold(environment: str, model: str, number: int) -> str:
    """Name of the hold that keeps a version out of an environment, as mlgit calls it."""
    return f"{environment}/{model}@{number}"


def is_version_hold(path: str, environment: str, model: str) -> bool:
    """Tell whether a path is that of a hold, as mlgit calls it, on a version of a model in an environment."""
    return re.fullmatch(rf"{re.escape(f'holds/{environment}/{model}')}@[0-9]+\.yaml", path) is not None


def override(name: str) -> str:
    """Path of an override."""
    return f"overrides/{name}.yaml"


def standing_approval(name: str) -> str:
    """Path of a standing approval."""
    return f"standing-approvals/{name}.yaml"


def approvals(promotion: str) -> str:
    """Folder of the approvals of a promotion, an override or a standing approval, on the ledger."""
    return f"approvals/{promotion}"


def reviews(promotion: str) -> str:
    """Folder of what the forge told of a promotion's pull request, on the ledger."""
    return f"reviews/{promotion}"


def decision(promotion: str) -> str:
    """Path of a decision, on the ledger."""
    return f"decisions/{promotion}.json"


def deployments(environment: str, model: str) -> str:
    """Folder of the deployments of a model in an environment, on the ledger."""
    return f"deployments/{environment}/{model}"


def promotion_branch(environment: str, model: str) -> str:
    """Name of the one branch that carries an open promotion of a model to an environment."""
    return f"mlgit/promote/{environment}/{model}"


def hold_branch(name: str) -> str:
    """Name of the branch that proposes to add or to lift a hold."""
    return f"mlgit/hold/{name}"


def override_branch(name: str) -> str:
    """Name of the branch that proposes an override."""
    return f"mlgit/override/{name}"


def standing_approval_branch(name: str) -> str:
    """Name of the branch that proposes a standing approval."""
    return f"mlgit/standing-approval/{name}"


def is_immutable(path: str) -> bool:
    """Tell whether a path, once there, may never change: everything in a version's folder."""
    return re.fullmatch(rf"models/{_N}/versions/v[0-9]+/.+", path) is not None
