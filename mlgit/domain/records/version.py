"""`models/<model>/versions/v<N>/version.json`: an immutable, trained instance of a model."""

from typing import Annotated, Any, Literal

from mlgit.domain.names import BlobId, CommitId, Digest, Line, Md5, Name, RelativePath
from mlgit.domain.records.base import Moment, Part, Record, doc

Format = Literal["skops", "onnx", "xgboost", "lightgbm", "safetensors"]


class Stored(Part, frozen=True, kw_only=True):
    """A file that DVC keeps: `md5` finds it, `sha256` and `size` prove it."""

    path: Annotated[RelativePath, doc("Path below the folder that it belongs to; its pointer is `<path>.dvc`.")]
    sha256: Annotated[Digest, doc("Digest of the content.")]
    md5: Annotated[Md5, doc("DVC's hash of the content.")]
    size: Annotated[int, doc("Bytes.", ge=1)]


class Artifact(Stored, frozen=True, kw_only=True):
    """The model file."""

    format: Annotated[Format, doc("Kind of file.")]
    types: Annotated[list[Line], doc("Types in the file beyond those that are always trusted, by dotted name.")] = []


class Inputs(Part, frozen=True, kw_only=True):
    """All that the version was made from."""

    commit: Annotated[CommitId, doc("The commit whose code was trained with.")]
    code: Annotated[
        Digest, doc("Digest over paths and Git blobs of all that the model reads, which survives a rebase.")
    ]
    data: Annotated[dict[Name, Stored], doc("The content of each dataset.")]
    params: Annotated[dict[str, Any], doc("The parameters.")]
    columns: Annotated[list[Line], doc("The columns that the model takes, in order.")] = []
    environment: Annotated[Digest | None, doc("Digest of the file that pins the packages.")] = None


class SliceMetric(Part, frozen=True, kw_only=True):
    """The primary metric on one part of the test split."""

    column: Annotated[str, doc("The column that is sliced by.", min_length=1, max_length=500)]
    value: Annotated[str, doc("Its value.", max_length=200)]
    rows: Annotated[int, doc("Rows of the slice.", ge=0)]
    metric: Annotated[float | None, doc("The metric; missing where it is not defined.")] = None


class Evaluation(Part, frozen=True, kw_only=True):
    """How good the version was on the frozen test split."""

    predictions: Annotated[Stored, doc("What it predicted, row by row.")]
    features: Annotated[
        Stored | None, doc("What it was asked, row by row, so that another version can be asked too.")
    ] = None
    split: Annotated[Digest, doc("Digest over the keys and labels of the test split.")]
    rows: Annotated[int, doc("Rows of the test split.", ge=1)]
    metrics: Annotated[dict[Name, float], doc("Metrics, computed by mlgit from the predictions.", min_length=1)]
    slices: Annotated[list[SliceMetric], doc("The primary metric on parts of the split.")] = []
    p95_ms: Annotated[float | None, doc("Milliseconds for a single prediction, 95th of 100, when registered.")] = None


class Person(Part, frozen=True, kw_only=True):
    """Somebody, as Git knows them."""

    name: Annotated[Line, doc("Name.")]
    email: Annotated[Line, doc("E-mail address.")]


class Blobs(Part, frozen=True, kw_only=True):
    """Ids that Git gives to files beside the record: a file with that id need not be read to be known."""

    card: Annotated[BlobId, doc("Of `card.md`.")]
    profile: Annotated[BlobId, doc("Of `profile.json`.")]


class Version(Record, frozen=True, kw_only=True, tag="version"):
    """An immutable trained instance of a model. The number is a label; the digest is the identity."""

    written_by = "mlgit"

    model: Annotated[Name, doc("The model.")]
    version: Annotated[int, doc("The label.", ge=1, le=999_999_999)]
    digest: Annotated[Digest, doc("sha256 over the canonical form of this record without digest and version.")]
    artifact: Annotated[Artifact, doc("The model file.")]
    card: Annotated[Digest, doc("Digest of `card.md`.")]
    profile: Annotated[Digest, doc("Digest of `profile.json`, the reference that later data is held against.")]
    inputs: Annotated[Inputs, doc("All that it was made from.")]
    evaluation: Annotated[Evaluation, doc("How good it was.")]
    trained_by: Annotated[Person, doc("Who trained it.")]
    registered_at: Annotated[Moment, doc("When it was registered.")]
    seed: Annotated[int | None, doc("The seed that it was trained with.")] = None
    supersedes: Annotated[int | None, doc("A version that this one corrects.")] = None
    blobs: Annotated[Blobs | None, doc("Ids that Git gives to the card and the profile.")] = None
