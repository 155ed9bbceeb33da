"""`models/<model>/model.yaml`: a solution to a problem."""

from typing import Annotated, Literal

from mlgit.domain.names import FilePath, Line, Name, RelativePath
from mlgit.domain.records.base import PositiveFloat, Record, RecordPart, describe
from mlgit.domain.records.dataset import ColumnType


class PipelineStages(RecordPart, frozen=True, kw_only=True):
    """The stages of `dvc.yaml` that produce a version."""

    train: Annotated[Line, describe("The stage that writes the model file.")] = "train"
    evaluate: Annotated[Line, describe("The stage that writes the predictions; its dependencies run before it.")] = (
        "evaluate"
    )


class Outputs(RecordPart, frozen=True, kw_only=True):
    """Files that the pipeline writes, as paths from the root of the repository."""

    model: Annotated[FilePath, describe("The trained model: .skops, .onnx, .ubj, .txt (LightGBM) or .safetensors.")]
    predictions: Annotated[
        FilePath,
        describe(
            "Parquet of the test split: the keys, label, score or prediction, and the slice columns; for several classes also "
            "`score_<class>`."
        ),
    ]
    train: Annotated[FilePath, describe("Parquet of the training features, for the reference profile.")]
    test: Annotated[FilePath | None, describe("Parquet of the test features; latency is measured on its rows.")] = None


class ModelSignature(RecordPart, frozen=True, kw_only=True):
    """Inputs and output of the model."""

    inputs: Annotated[dict[Line, ColumnType], describe("Input columns and their types, in order.", min_length=1)]
    output: Annotated[Literal["probability", "label", "value"], describe("What a prediction is.")]


class Budgets(RecordPart, frozen=True, kw_only=True):
    """Limits on latency and size of a version."""

    p95_ms: Annotated[
        PositiveFloat | None, describe("Maximum 95th percentile of single-prediction latency, in milliseconds.")
    ] = None
    size_mb: Annotated[PositiveFloat | None, describe("Maximum size of the model file in megabytes (10^6 bytes).")] = (
        None
    )


class Model(Record, frozen=True, kw_only=True, tag="model"):
    """A solution to a problem: the pipeline that produces its versions, and what influences them beside it."""

    written_by = "people"

    name: Annotated[Name, describe("Name of the model.")]
    problem: Annotated[Name, describe("Name of the problem that it solves.")]
    datasets: Annotated[
        list[Name], describe("Datasets that it is made from, in addition to those that its stages read.")
    ] = []
    pipeline: Annotated[PipelineStages, describe("Stages that produce a version.")] = PipelineStages()
    outputs: Annotated[Outputs, describe("Files that the pipeline writes.")]
    reads: Annotated[
        list[RelativePath],
        describe("Files and folders that influence a version, in addition to what its stages and those upstream read."),
    ] = []
    params: Annotated[FilePath, describe("The main file of parameters, in addition to those that its stages read.")] = (
        "params.yaml"
    )
    lock: Annotated[FilePath | None, describe("The file that pins the packages used for training.")] = None
    keys: Annotated[list[Line], describe("Columns of the predictions that together identify a row.", min_length=1)]
    signature: Annotated[ModelSignature, describe("Inputs and output.")]
    budgets: Annotated[Budgets, describe("Limits on latency and size.")] = Budgets()
