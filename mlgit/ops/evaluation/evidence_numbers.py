"""Evidence on the training data and test rows of a version."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import sha256
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Version
from mlgit.domain.results import Drift, Overlap
from mlgit.errors import Location, MlgitError, refused
from mlgit.ops.kernel.lifecycle import Lifecycle

if TYPE_CHECKING:
    from pandas import DataFrame

    from mlgit.ml.profile import TableProfile


def load_profile(state: Lifecycle, version: Version) -> "TableProfile":
    """Load the reference profile of a version, made from its training table.

    Raises:
        MlgitError: it is missing or not what was registered (as for `read_profile`), or invalid (`profile-invalid`).
    """
    from mlgit.ml import profile  # noqa: PLC0415 - pyarrow

    content = read_profile(state, version)
    try:
        return profile.from_json(content)
    except msgspec.MsgspecError as error:
        raise _unreadable(layout.profile(version.model, version.version), str(error)) from error


def read_profile(state: Lifecycle, version: Version) -> bytes:
    """Return the content of the reference profile of a version.

    Raises:
        MlgitError: it is missing (`version-file-missing`), or not what was registered (`version-file-mismatch`).
    """
    ref = VersionRef(version.model, version.version)
    path = layout.profile(version.model, version.version)
    content = state.tree.read(path)
    if content is None:
        raise refused(
            "version-file-missing",
            f"{ref} lacks profile.json",
            why="its record names it",
            fix="restore it from the commit that registered the version",
            at=Location(path),
        )
    if sha256(content) != version.profile:
        raise refused(
            "version-file-mismatch",
            f"profile.json of {ref} is not what was registered",
            why=f"its sha256 is {sha256(content)[7:19]}, and the record states {version.profile[7:19]}",
            fix="restore it from the commit that registered it",
            at=Location(path),
        )
    return content


def profile_drift(state: Lifecycle, champion: Version, candidate: Version) -> Drift:
    """Compare the training data of a candidate with that of a champion.

    Raises:
        MlgitError: a profile is unavailable (as for `load_profile`), or inconsistent (`profile-invalid`).
    """
    from mlgit.ml import drift as ml_drift  # noqa: PLC0415 - pyarrow

    profiles = [load_profile(state, version) for version in (champion, candidate)]
    try:
        return ml_drift.drift(*profiles)
    except ValueError as error:
        raise _unreadable(layout.profile(candidate.model, candidate.version), str(error)) from error


def train_test_overlap(
    candidate: Version,
    test: "DataFrame",
    keys: Sequence[str],
    training: Sequence[str],
    *,
    trained_on: int,
    table_of: "Callable[[str], DataFrame]",
) -> Overlap:
    """Return how many test rows were used for training, as far as it can be known.

    Args:
        candidate: the version.
        test: its predictions.
        keys: columns that together identify a row.
        training: datasets that contain training rows only.
        trained_on: number of rows of its training table.
        table_of: loads a dataset that it was made from.

    Raises:
        MlgitError: it was not made from a dataset that `training` names (`dataset-unknown`).
        ValueError: a table lacks a key column.
    """
    from mlgit.ml import leakage  # noqa: PLC0415 - pandas

    unknown = [name for name in training if name not in candidate.inputs.data]
    if unknown:
        raise refused(
            "dataset-unknown",
            f"{VersionRef(candidate.model, candidate.version)} was not made from {', '.join(unknown)}",
            why=f"it was made from {', '.join(candidate.inputs.data) or 'no dataset'}",
            fix="name datasets of the model under `training` in the policy",
        )
    tables = {name: table_of(name) for name in training or candidate.inputs.data}
    return leakage.overlap(test, tables, keys, training=training, trained_on=trained_on)


def _unreadable(path: str, why: str) -> MlgitError:
    return refused(
        "profile-invalid",
        f"{path} cannot be compared",
        why=why,
        fix="register again: the profile is made from the training table",
        at=Location(path),
    )
