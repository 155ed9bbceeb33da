"""Rules for what a change may do: versions and manifests stay, and rules do not change together with a promotion."""

from collections.abc import Iterable, Iterator

from mlgit.domain import layout
from mlgit.domain.rule_files import rule_kind
from mlgit.errors import Finding, Location


def check_immutable(changed: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Check that no file of a registered version was modified, replaced or deleted.

    Args:
        changed: path and Git status (`A`, `M`, `D`, `T`) of each change from the base.
    """
    for path, status in changed:
        if status != "A" and layout.is_immutable(path):
            deleted = status == "D"
            yield Finding(
                "immutable-file-deleted" if deleted else "immutable-file-changed",
                f"{path} was {'deleted' if deleted else 'changed'}",
                why="files of a registered version are immutable",
                fix="restore it; for a correction register a new version with `supersedes`, for a note add a file",
                at=Location(path),
            )


def check_manifests_kept(changed: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Check that no manifest was deleted: with it the champion would be lost that the next version has to beat.

    Args:
        changed: path and Git status (`A`, `M`, `D`, `T`) of each change from the base.
    """
    for path, status in changed:
        if status == "D" and layout.is_manifest(path):
            yield Finding(
                "manifest-deleted",
                f"{path} was deleted",
                why="a model is removed from an environment by a promotion with `change: retire`, which is approved",
                fix="restore it from the base branch",
                at=Location(path),
            )


def check_separation(changed: Iterable[str]) -> Iterator[Finding]:
    """Check that no rule changes together with a promotion that is checked by it."""
    paths = sorted(changed)
    promotions = [path for path in paths if layout.is_manifest(path)]
    rules = [path for path in paths if rule_kind(path) is not None or _is_signed_exception(path)]
    if promotions and rules:
        yield Finding(
            "policy-changed-with-promotion",
            f"{rules[0]} and a promotion are changed together",
            why=f"{promotions[0]} would be checked by rules of the same change",
            fix="make two pull requests, the rules first",
            at=Location(rules[0]),
        )


def _is_signed_exception(path: str) -> bool:
    place = layout.parse_path(path)
    return place is not None and place.kind in {"override", "standing-approval"}


def check_promotion_alone(
    environment: str, model: str, changed: Iterable[str], *, held: str | None = None
) -> Iterator[Finding]:
    """Check that a promotion changes only its manifest and gate reports, which an approval covers.

    Args:
        environment: the environment.
        model: the model.
        changed: the paths that differ from the base.
        held: path of the hold that a rollback adds on the version it replaces, if it adds one.
    """
    for path in sorted(changed):
        place = layout.parse_path(path)
        is_own = path in {layout.promotion(environment, model), held}
        is_report = place is not None and place.kind == "gate-report" and place.fields["model"] == model
        if not is_own and not is_report:
            yield Finding(
                "promotion-with-other-changes",
                f"the promotion of {model} to {environment} also changes {path}",
                why="an approval covers only the manifest and what it names",
                fix="merge the other changes into the base branch first, by themselves",
                at=Location(path),
            )
