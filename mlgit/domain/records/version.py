"""`models/<model>/versions/v<N>/version.json`: an immutable trained instance of a model."""

from typing import Annotated, Any, Literal

from mlgit.domain.names import BlobId, CommitId, Digest, FilePath, Line, Md5, Name
from mlgit.domain.records.base import Record, RecordPart, Timestamp, describe

ModelFormat = Literal["skops", "onnx", "xgboost", "lightgbm", "safetensors"]


class StoredFile(RecordPart, frozen=True, kw_only=True):
    """A file in the cache and remote of DVC: `md5` finds it, `sha256` and `size` verify it."""

    path: Annotated[FilePath, describe("Path of the file below its folder.")]
    sha256: Annotated[Digest, describe("Digest of the content.")]
    md5: Annotated[Md5, describe("DVC's hash of the content.")]
    size: Annotated[int, describe("Size in bytes.", ge=1)]


class Artifact(StoredFile, frozen=True, kw_only=True):
    """The model file."""

    format: Annotated[ModelFormat, describe("File format.")]
    types: Annotated[
        list[Line], describe("Types in the file beyond those that are always trusted, by dotted name.")
    ] = []


class Inputs(RecordPart, frozen=True, kw_only=True):
    """Everything that the version was made from."""

    commit: Annotated[CommitId, describe("The training commit.")]
    code: Annotated[
        Digest, describe("Digest of paths and Git blobs of everything in Git that its stages read; a rebase keeps it.")
    ]
    data: Annotated[dict[Name, StoredFile], describe("Content of each dataset.")]
    params: Annotated[dict[str, Any], describe("The parameters; those of further files as `FILE:NAME`.")]
    columns: Annotated[list[Line], describe("Input columns of the model, in order.")] = []
    lock: Annotated[Digest | None, describe("Digest of the file that pins the packages.")] = None


class SliceMetric(RecordPart, frozen=True, kw_only=True):
    """The primary metric on one slice of the test split."""

    column: Annotated[str, describe("The slice column.", min_length=1, max_length=500)]
    value: Annotated[str, describe("Its value.", max_length=200)]
    rows: Annotated[int, describe("Number of rows of the slice.", ge=0)]
    metric: Annotated[float | None, describe("The metric; missing if it is undefined.")] = None


class Evaluation(RecordPart, frozen=True, kw_only=True):
    """Results of the version on the frozen test split."""

    predictions: Annotated[StoredFile, describe("Its predictions, row by row.")]
    features: Annotated[
        StoredFile | None, describe("The features, row by row, so that other versions can be scored on them.")
    ] = None
    split: Annotated[Digest, describe("Digest of the keys and labels of the test split.")]
    rows: Annotated[int, describe("Number of rows of the test split.", ge=1)]
    metrics: Annotated[dict[Name, float], describe("Metrics, computed by mlgit from the predictions.", min_length=1)]
    slices: Annotated[list[SliceMetric], describe("The primary metric on slices of the split.")] = []
    p95_ms: Annotated[
        float | None, describe("95th percentile of single-prediction latency at registration, in milliseconds.")
    ] = None
    machine: Annotated[Line | None, describe("Processor and cores of the machine that latency was measured on.")] = None


class GitIdentity(RecordPart, frozen=True, kw_only=True):
    """A person, as in the author of a commit."""

    name: Annotated[Line, describe("Name.")]
    email: Annotated[Line, describe("E-mail address.")]


class GitBlobs(RecordPart, frozen=True, kw_only=True):
    """Git's ids of the files beside the record: a file with the recorded id need not be read to be verified."""

    card: Annotated[BlobId, describe("Id of `card.md`.")]
    profile: Annotated[BlobId, describe("Id of `profile.json`.")]


class Version(Record, frozen=True, kw_only=True, tag="version"):
    """An immutable trained instance of a model. The number is a label; the digest is the identity."""

    written_by = "mlgit"

    model: Annotated[Name, describe("Name of the model.")]
    version: Annotated[int, describe("Number of the version.", ge=1, le=999_999_999)]
    digest: Annotated[Digest, describe("sha256 of the canonical form of this record without digest and version.")]
    artifact: Annotated[Artifact, describe("The model file.")]
    card: Annotated[Digest, describe("Digest of `card.md`.")]
    profile: Annotated[Digest, describe("Digest of `profile.json`, the reference that later data is compared with.")]
    inputs: Annotated[Inputs, describe("Everything that it was made from.")]
    evaluation: Annotated[Evaluation, describe("Its results on the test split.")]
    trained_by: Annotated[GitIdentity, describe("Person who trained it.")]
    registered_at: Annotated[Timestamp, describe("When it was registered.")]
    seed: Annotated[int | None, describe("Random seed of the training.")] = None
    supersedes: Annotated[int | None, describe("Number of a version that this one corrects.")] = None
    blobs: Annotated[GitBlobs | None, describe("Git's ids of the card and the profile.")] = None
