"""Evidence that says what a test wants, and evidence that cannot be had."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlgit.domain.cards import CardText
from mlgit.domain.gates.card import SECTIONS
from mlgit.domain.records import Model, Problem, Version
from mlgit.errors import Finding, unjudged
from tests import samples

WRITTEN = CardText({heading.casefold(): "Words that say something." for heading in SECTIONS})


@dataclass(frozen=True, kw_only=True)
class Gained:
    """A gain with an interval (see `gates.base.Gain`)."""

    value: float = 0.01
    low: float = 0.005
    high: float = 0.015
    candidate: float = 0.81
    champion: float = 0.8
    level: float = 0.95
    rows: int = 1200


@dataclass(frozen=True, kw_only=True)
class Part:
    """A slice (see `gates.base.SliceGain`)."""

    gain: Gained | None
    column: str = "carrier"
    value: str = "AA"
    rows: int = 500
    reason: str | None = None


@dataclass(frozen=True)
class Checked:
    """The check of a dataset (see `gates.base.DataReport`)."""

    rows: int
    violations: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Known:
    """Evidence that is at hand; sound unless a test says otherwise. Keeps what it was asked for."""

    problem: Problem = field(default_factory=samples.problem)
    model: Model = field(default_factory=samples.model)
    candidate: Version = field(default_factory=lambda: samples.version(2, seed=2))
    champion: Version | None = field(default_factory=samples.version)
    card: CardText = WRITTEN
    findings: Sequence[Finding] = ()
    history: Sequence[Finding] = ()
    reports: Mapping[str, Checked] = field(default_factory=lambda: {"flights": Checked(1200)})
    metrics: Mapping[str, float] = field(default_factory=lambda: {"roc_auc": 0.712})
    gained: Gained = Gained()
    parts: Sequence[Part] = (Part(gain=Gained()),)
    asked: list[Any] = field(default_factory=list)

    def integrity(self) -> Sequence[Finding]:
        return self.findings

    def immutability(self) -> Sequence[Finding]:
        return self.history

    def datasets(self) -> Mapping[str, Checked]:
        return self.reports

    def measured(self, metric: str) -> float:
        self.asked.append(metric)
        return self.metrics[metric]

    def gain(self, metric: str, *, resamples: int, level: float) -> Gained:
        self.asked.append((metric, resamples, level))
        return self.gained

    def slice_gains(self, metric: str, *, min_rows: int, resamples: int, level: float) -> Sequence[Part]:
        self.asked.append((metric, min_rows, resamples, level))
        return self.parts


FACTS = (
    "problem",
    "model",
    "candidate",
    "champion",
    "card",
    "integrity",
    "immutability",
    "datasets",
    "measured",
    "gain",
    "slice_gains",
)
"""All that a gate may ask evidence for."""


class Without:
    """Sound evidence of which some facts cannot be had."""

    def __init__(self, *facts: str) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        if name in self._facts:
            raise unjudged(
                "data-missing", f"{name} cannot be fetched", why="the remote does not answer", fix="try again"
            )
        return getattr(Known(), name)
