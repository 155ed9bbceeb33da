"""What a change may do to the files that are there: versions stay, and what judges comes alone."""

from collections.abc import Iterable, Iterator

from mlgit.domain import layout
from mlgit.errors import Finding, Location


def check_immutable(changed: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Nothing in the folder of a registered version was modified, replaced or deleted.

    Args:
        changed: path and status (`A`, `M`, `D`, `T`) of each difference from the base.
    """
    for path, status in changed:
        if status != "A" and layout.is_immutable(path):
            deleted = status == "D"
            yield Finding(
                "immutable-file-deleted" if deleted else "immutable-file-changed",
                f"{path} was {'deleted' if deleted else 'changed'}",
                why="files of a registered version stay as they are for ever",
                fix="restore it; a correction is a new version with `supersedes`, a remark is a file of its own",
                at=Location(path),
            )


def check_manifests_kept(changed: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """No manifest was deleted: with it would go the champion that the next version has to beat, and who agreed to it.

    Args:
        changed: path and status (`A`, `M`, `D`, `T`) of each difference from the base.
    """
    for path, status in changed:
        if status == "D" and (place := layout.parse_path(path)) is not None and place.kind == "promotion":
            yield Finding(
                "manifest-deleted",
                f"{path} was deleted",
                why="a model leaves an environment by a promotion with change: retire, which is judged and agreed to",
                fix="restore it from the base branch",
                at=Location(path),
            )


def check_separation(changed: Iterable[str]) -> Iterator[Finding]:
    """What judges and what is judged do not change together."""
    paths = sorted(changed)
    promoted = [path for path in paths if (place := layout.parse_path(path)) and place.kind == "promotion"]
    judging = [
        path
        for path in paths
        if (
            (place := layout.parse_path(path))
            and place.kind in {"policy", "environment", "roles", "override", "standing-approval"}
        )
        or path in {layout.SIGNERS, layout.TRUSTED_TYPES}
    ]
    if promoted and judging:
        yield Finding(
            "policy-changed-with-promotion",
            f"{judging[0]} and a promotion change together",
            why=f"{promoted[0]} would be judged by rules that come with it",
            fix="make two pull requests, the rules first",
            at=Location(judging[0]),
        )


def check_promotion_alone(
    environment: str, model: str, changed: Iterable[str], *, held: str | None = None
) -> Iterator[Finding]:
    """A promotion brings its manifest and gate reports, and nothing that an approval does not cover.

    Args:
        environment: the environment.
        model: the model.
        changed: the paths that differ from the base.
        held: path of the hold that may come along, where the promotion is a rollback that brings one.
    """
    for path in sorted(changed):
        place = layout.parse_path(path)
        own = path in {layout.promotion(environment, model), held}
        report = place is not None and place.kind == "gate-report" and place.fields["model"] == model
        if not own and not report:
            yield Finding(
                "promotion-with-other-changes",
                f"the promotion of {model} to {environment} changes {path} as well",
                why="an approval covers the manifest and what it names, and nothing else that comes along",
                fix="bring the other changes to the base branch first, by themselves",
                at=Location(path),
            )
