"""`models/<model>/model.yaml`: a way to solve a problem."""

from typing import Annotated, Literal

from mlgit.domain.names import Line, Name, RelativePath
from mlgit.domain.records.base import Part, Positive, Record, doc
from mlgit.domain.records.dataset import ColumnType


class Pipeline(Part, frozen=True, kw_only=True):
    """The stages of `dvc.yaml` that make a version."""

    train: Annotated[Line, doc("The stage that writes the model file.")] = "train"
    evaluate: Annotated[Line, doc("The stage that writes the predictions; everything it needs runs before it.")] = (
        "evaluate"
    )


class Outputs(Part, frozen=True, kw_only=True):
    """What the pipeline leaves behind, as paths from the root of the repository."""

    model: Annotated[RelativePath, doc("The trained model: .skops, .onnx, .ubj, .txt (LightGBM) or .safetensors.")]
    predictions: Annotated[
        RelativePath,
        doc("Parquet of the test split: the keys, label, score or prediction, and the columns of the slices."),
    ]
    train: Annotated[RelativePath, doc("Parquet of the features trained on, for the reference profile.")]
    test: Annotated[RelativePath | None, doc("Parquet of the features tested on; latency is measured on its rows.")] = (
        None
    )


class Signature(Part, frozen=True, kw_only=True):
    """What goes into the model and what comes out."""

    inputs: Annotated[dict[Line, ColumnType], doc("Columns and their types, in order.", min_length=1)]
    output: Annotated[Literal["probability", "label", "value"], doc("What a prediction is.")]


class Budgets(Part, frozen=True, kw_only=True):
    """What a version may cost."""

    p95_ms: Annotated[Positive | None, doc("Milliseconds within which 95 of 100 single predictions are done.")] = None
    size_mb: Annotated[Positive | None, doc("Size of the model file in megabytes (10^6 bytes).")] = None


class Model(Record, frozen=True, kw_only=True, tag="model"):
    """A way to solve a problem: the pipeline that makes its versions, and all that may influence them."""

    written_by = "people"

    name: Annotated[Name, doc("Name of the model.")]
    problem: Annotated[Name, doc("The problem that it solves.")]
    datasets: Annotated[list[Name], doc("The datasets that it is made from.", min_length=1)]
    pipeline: Annotated[Pipeline, doc("The stages that make a version.")] = Pipeline()
    outputs: Annotated[Outputs, doc("What the pipeline leaves behind.")]
    reads: Annotated[list[RelativePath], doc("Code, parameters and contracts that influence a version.", min_length=1)]
    params: Annotated[RelativePath, doc("The file of parameters.")] = "params.yaml"
    lock: Annotated[RelativePath | None, doc("The file that pins the packages trained with.")] = None
    keys: Annotated[list[Line], doc("Columns of the predictions that together name a row.", min_length=1)]
    signature: Annotated[Signature, doc("What goes in and what comes out.")]
    budgets: Annotated[Budgets, doc("What a version may cost.")] = Budgets()
