"""The front matter of `models/<model>/versions/v<N>/card.md`, in the format of Hugging Face's model cards."""

from typing import Annotated, Any

import msgspec

from mlgit.domain.names import Digest, Line, Name
from mlgit.domain.records.base import RecordPart, describe
from mlgit.domain.records.problem import Risk


class CardMetric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A metric in a model index."""

    type: Annotated[str, describe("Name of the metric.")]
    value: Annotated[Any, describe("Its value; must equal the record's.")]
    name: Annotated[str | None, describe("Display name.")] = None


class CardResult(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics on one dataset."""

    task: Annotated[dict[str, Any], describe("Type and name of the task.")]
    dataset: Annotated[dict[str, Any], describe("Name, type, split and revision of the data.")]
    metrics: Annotated[list[CardMetric], describe("The metrics.")]


class CardModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a model index."""

    name: Annotated[str, describe("Name of the model.")]
    results: Annotated[list[CardResult], describe("Its results.")]


class CardFacts(RecordPart, frozen=True, kw_only=True):
    """The section of the front matter that belongs to mlgit."""

    model: Annotated[Name, describe("Name of the model.")]
    problem: Annotated[Name, describe("Name of the problem that it solves.")]
    owner: Annotated[Line, describe("Owner of the problem.")]
    risk: Annotated[Risk, describe("Risk tier of the problem.")]
    artifact: Annotated[Digest, describe("Digest of the model file.")]
    split: Annotated[Digest, describe("Digest of the test split.")]


class Card(msgspec.Struct, frozen=True, kw_only=True, rename={"model_index": "model-index"}):
    """The front matter; keys that Hugging Face defines and mlgit does not use are allowed."""

    mlgit: Annotated[CardFacts, describe("The section that belongs to mlgit.")]
    model_index: Annotated[list[CardModel], describe("Results, as model hubs read them.")]
    library_name: Annotated[str | None, describe("Library that loads the model.")] = None
    pipeline_tag: Annotated[str | None, describe("Kind of task.")] = None
    license: Annotated[str | None, describe("License of the model.")] = None
    language: Annotated[list[str] | str | None, describe("Languages of the data.")] = None
    tags: Annotated[list[str], describe("Search terms.")] = []
    datasets: Annotated[list[str], describe("Names of the datasets.")] = []
    metrics: Annotated[list[str], describe("Names of the metrics.")] = []
