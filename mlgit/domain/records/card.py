"""The front matter of `models/<model>/versions/v<N>/card.md`, in the form of Hugging Face's model cards."""

from typing import Annotated, Any

import msgspec

from mlgit.domain.names import Digest, Line, Name
from mlgit.domain.records.base import Part, doc
from mlgit.domain.records.problem import Risk


class CardMetric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A metric in a model index."""

    type: Annotated[str, doc("Name of the metric.")]
    value: Annotated[Any, doc("Its value; must equal the record's.")]
    name: Annotated[str | None, doc("Its name for people.")] = None


class CardResult(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics on one dataset."""

    task: Annotated[dict[str, Any], doc("Type and name of the task.")]
    dataset: Annotated[dict[str, Any], doc("Name, type, split and revision of the data.")]
    metrics: Annotated[list[CardMetric], doc("The metrics.")]


class CardModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a model index."""

    name: Annotated[str, doc("Name of the model.")]
    results: Annotated[list[CardResult], doc("Its results.")]


class CardFacts(Part, frozen=True, kw_only=True):
    """mlgit's own part of the front matter."""

    model: Annotated[Name, doc("The model.")]
    problem: Annotated[Name, doc("The problem that it solves.")]
    owner: Annotated[Line, doc("Who answers for it.")]
    risk: Annotated[Risk, doc("Tier of the problem.")]
    artifact: Annotated[Digest, doc("Digest of the model file.")]
    split: Annotated[Digest, doc("Digest of the test split.")]


class Card(msgspec.Struct, frozen=True, kw_only=True, rename={"model_index": "model-index"}):
    """The front matter; keys that Hugging Face defines and mlgit does not use are let through."""

    mlgit: Annotated[CardFacts, doc("mlgit's own part.")]
    model_index: Annotated[list[CardModel], doc("Results, as model hubs read them.")]
    library_name: Annotated[str | None, doc("The library that loads the model.")] = None
    pipeline_tag: Annotated[str | None, doc("The kind of task.")] = None
    license: Annotated[str | None, doc("Licence of the model.")] = None
    language: Annotated[list[str] | str | None, doc("Languages of the data.")] = None
    tags: Annotated[list[str], doc("Words to find it by.")] = []
    datasets: Annotated[list[str], doc("Names of the datasets.")] = []
    metrics: Annotated[list[str], doc("Names of the metrics.")] = []
