"""Paths in a team's repository and on the ledger branch: where each kind of file is, and what a path says of it."""

import functools
import re
from typing import Final

import msgspec

from mlgit.domain.records.kinds import RECORD_KINDS

PROJECT: Final = "mlgit.yaml"
ROLES: Final = ".mlgit/roles.yaml"
SIGNERS: Final = ".mlgit/allowed_signers"
TRUSTED_TYPES: Final = ".mlgit/trusted_types"
REQUIREMENTS_LOCK: Final = ".mlgit/requirements.lock"
SCHEMAS: Final = ".mlgit/schemas"
LEDGER: Final = "refs/heads/mlgit-ledger"
RECORD_FOLDERS: Final = frozenset({"problems", "policies", "environments", "holds", "overrides", "standing-approvals"})
"""Folders that contain only records that people write, and their notes."""

_N = r"[^/]+"
_CONVERTERS: Final = {"": _N, "int": "[0-9]{1,9}", "path": ".+"}
_PLACEHOLDER: Final = re.compile(r"<(?:(?P<converter>\w+):)?(?P<field>\w+)>")


def _path_pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of the path of a kind of record (see `RecordKind.path`)."""
    pattern, end = "", 0
    for placeholder in _PLACEHOLDER.finditer(template):
        value = _CONVERTERS[placeholder["converter"] or ""]
        name = "" if placeholder["field"] == "_" else f"P<{placeholder['field']}>"
        pattern += re.escape(template[end : placeholder.start()]) + (f"(?{name}{value})" if name else value)
        end = placeholder.end()
    return re.compile(pattern + re.escape(template[end:]))


_PATTERNS: Final[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}
"""Kinds and their paths, by the first folder of the path."""
for _kind in RECORD_KINDS.values():
    _PATTERNS.setdefault(_kind.path.partition("/")[0], []).append((_kind.kind, _path_pattern(_kind.path)))
_VERSION_LIKE = re.compile(rf"models/{_N}/versions/{_N}/version\.json")
_LABEL = re.compile(r"v[1-9][0-9]{0,8}")
_SEQUENCE = re.compile(r"[1-9][0-9]{0,8}\.json")


class RecordPath(msgspec.Struct, frozen=True):
    """The kind of record at a path, and the fields that the path contains; the record must have the same values."""

    kind: str
    fields: dict[str, str]


@functools.lru_cache(maxsize=1 << 15)  # many modules ask about the same paths
def parse_path(path: str) -> RecordPath | None:
    """Return the kind of record that belongs at a path, and the fields in the path; None where no record belongs."""
    if not path.endswith((".json", ".yaml")):  # most files of a large repository
        return None
    for kind, pattern in _PATTERNS.get(path.partition("/")[0], ()):
        if match := pattern.fullmatch(path):
            return RecordPath(kind, match.groupdict())
    return None


def is_manifest(path: str) -> bool:
    """Return whether a path is that of a manifest."""
    if not path.startswith("environments/"):  # most files; parsing each of them would take longer
        return False
    place = parse_path(path)
    return place is not None and place.kind == "promotion"


def path_template(kind: str) -> str:
    """Return the path of a kind of record for people, with names in angle brackets."""

    def show(placeholder: re.Match[str]) -> str:
        if placeholder["converter"] == "int":
            return "<N>"
        is_own_name = placeholder["field"] == "name" and not placeholder["converter"]
        return f"<{kind}>" if is_own_name else f"<{placeholder['field']}>".replace("<_>", "<name>")

    return _PLACEHOLDER.sub(show, RECORD_KINDS[kind].path)


def suggested_path(path: str) -> str | None:
    """Return the path at which a file would be a record, if it only has the wrong extension; None otherwise."""
    stem, _, extension = path.rpartition(".")
    if extension == "yaml" or extension.lower() not in {"yaml", "yml", "json"}:
        return None
    return None if parse_path(f"{stem}.yaml") is None else f"{stem}.yaml"


def is_version_like(path: str) -> bool:
    """Return whether a path is that of a version's record, with any label."""
    return path.endswith("/version.json") and _VERSION_LIKE.fullmatch(path) is not None


def version_number(folder: str) -> int | None:
    """Return the number of a version from the name of its folder; None where that is not one."""
    return int(folder[1:]) if _LABEL.fullmatch(folder) else None


def sequence_number(file: str) -> int | None:
    """Return the number of a deployment or of a review snapshot from its file name; None where that is not one."""
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
    """Path of the text that the cards of all versions of a model start with."""
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
    """Path of the promotion manifest: which version of a model an environment should run."""
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


def version_hold_name(environment: str, model: str, number: int) -> str:
    """Name that mlgit gives a hold on a version in an environment."""
    return f"{environment}/{model}@{number}"


def is_version_hold(path: str, environment: str, model: str) -> bool:
    """Return whether a path is that of a hold, named by mlgit, on a version of a model in an environment."""
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
    """Folder of the review snapshots of a promotion's pull request, on the ledger."""
    return f"reviews/{promotion}"


def rule_approvals(decision: str) -> str:
    """Folder of the approvals of a change of rules, on the ledger."""
    return f"rule-approvals/{decision.removeprefix('sha256:')}"


def rule_reviews(decision: str) -> str:
    """Folder of the review snapshots of the pull request of a change of rules, on the ledger."""
    return f"rule-reviews/{decision.removeprefix('sha256:')}"


def decision(promotion: str) -> str:
    """Path of a decision, on the ledger."""
    return f"decisions/{promotion}.json"


def deployments(environment: str, model: str) -> str:
    """Folder of the deployments of a model in an environment, on the ledger."""
    return f"deployments/{environment}/{model}"


def deployment(environment: str, model: str, number: int) -> str:
    """Path of an entry of a deployment log, on the ledger."""
    return f"{deployments(environment, model)}/{number}.json"


def signature(path: str) -> str:
    """Path of the signature of a file of the ledger, beside it."""
    return f"{path}.sig"


def timestamp(path: str) -> str:
    """Path of the timestamp of a file of the ledger, beside it."""
    return f"{path}.tsr"


def is_ledger_file(path: str) -> bool:
    """Return whether a path is that of a record on the ledger, or of what is beside one: its signature or timestamp."""
    place = parse_path(path.removesuffix(".sig").removesuffix(".tsr"))
    return place is not None and RECORD_KINDS[place.kind].on_ledger


def promotion_branch(environment: str, model: str) -> str:
    """Name of the only branch for an open promotion of a model to an environment."""
    return f"mlgit/promote/{environment}/{model}"


def hold_branch(name: str) -> str:
    """Name of the branch that proposes to add or lift a hold."""
    return f"mlgit/hold/{name}"


def override_branch(name: str) -> str:
    """Name of the branch that proposes an override."""
    return f"mlgit/override/{name}"


def standing_approval_branch(name: str) -> str:
    """Name of the branch that proposes a standing approval."""
    return f"mlgit/standing-approval/{name}"


def is_model_card(path: str) -> bool:
    """Return whether a path is that of the text that the cards of a model's versions start with."""
    return re.fullmatch(rf"models/{_N}/card\.md", path) is not None


def is_immutable(path: str) -> bool:
    """Return whether a path must never change once it exists: everything in a version's folder."""
    return re.fullmatch(rf"models/{_N}/versions/v[0-9]+/.+", path) is not None
