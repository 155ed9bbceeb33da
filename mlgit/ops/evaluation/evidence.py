"""Evidence for gates from the repository's history and from DVC; each fact is computed at most once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from mlgit.domain import layout
from mlgit.domain.cards import CardText
from mlgit.domain.codec import digest, digest_of
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records import Dataset, Model, Problem, Version
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import StoredFile
from mlgit.domain.results import (
    CalibrationErrors,
    CommandAnswer,
    Correction,
    DatasetCheck,
    Drift,
    FeatureStrength,
    Gain,
    GroupMeasure,
    InputColumn,
    ModelFileInspection,
    Overlap,
    PairedTest,
    PredictionComparison,
    SliceGain,
    SliceValue,
)
from mlgit.domain.rules.changes import check_immutable
from mlgit.domain.rules.versions import check_model_file, check_version, stored_files
from mlgit.errors import Finding, Inconclusive, Location, MlgitError, refused
from mlgit.ops.data import contracts
from mlgit.ops.evaluation import evidence_files, evidence_numbers, rescoring, team_gates
from mlgit.ops.evaluation.ml_errors import translating_ml_errors
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.data import VersionStore
from mlgit.ops.kernel.ports.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    from pandas import DataFrame

_DECISION_THRESHOLD = 0.5
_TOLERANCE = 1e-9  # metrics are sums of floats, whose last digits depend on the machine


class StoredEvidence:
    """Evidence on a candidate and a champion, from their records and stored predictions (see `domain.gates.base.Evidence`).

    A model is loaded only if a gate needs new predictions, and then in a guarded process.
    """

    def __init__(
        self, workspace: Workspace, state: Lifecycle, candidate: Version, champion: Version | None, *, at: datetime
    ) -> None:
        self.candidate = candidate
        self.champion = champion
        self.model: Model = state.model(candidate.model)
        self.problem: Problem = state.problem(self.model.problem)
        self._workspace = workspace
        self._state = state
        self.at = at
        self._folder = layout.version_folder(candidate.model, candidate.version)
        self._tables: dict[tuple[Digest, str | None], DataFrame] = {}

    @cached_property
    def card(self) -> CardText:
        """The sections of the candidate's card."""
        file = f"{self._folder}/card.md"
        return self._workspace.formats.card(file, self._state.tree.read(file) or b"")[1]

    def check_integrity(self) -> Sequence[Finding]:
        """Check the record, its files in Git and DVC, and the recorded metrics against the stored predictions."""
        contents = self._state.tree.read_many(f"{self._folder}/{name}" for name in ("card.md", "profile.json"))
        files = {path.removeprefix(f"{self._folder}/"): content for path, content in contents}
        findings = list(check_version(self.candidate, files))
        for stored in stored_files(self.candidate):
            try:
                self._store.verify(stored)
            except Inconclusive:  # not a finding on the file
                raise
            except MlgitError as error:
                if any(finding.id == "data-missing" for finding in error.findings):
                    raise
                findings.extend(error.findings)
        if not findings:
            findings = self._check_model_file()
        return findings or self._check_metrics()

    def check_immutability(self) -> Sequence[Finding]:
        """Check the first-parent history of the candidate's folder."""
        commit = self._state.tree.commit
        if commit is None:
            return []
        history = self._workspace.repository.commits(commit, paths=[self._folder])
        return list(check_immutable((change.path, change.status) for _, changes in history for change in changes))

    def check_datasets(self) -> Mapping[str, DatasetCheck]:
        """Check each dataset against its contract, and that the record names every dataset that was read."""
        checks = {name: self._check_dataset(name) for name in self.candidate.inputs.data}
        missing = evidence_files.unrecorded_datasets(self._workspace, self.candidate)
        unrecorded = {
            name: DatasetCheck(0, ["the pipeline reads it, and the record does not name it"]) for name in missing
        }
        return {name: self._with_revocation(name, check) for name, check in checks.items()} | unrecorded

    def metric_value(self, metric: str) -> float:
        """Compute a metric of the candidate from its stored predictions."""
        from mlgit.ml.columns import require_probabilities  # noqa: PLC0415 - pandas
        from mlgit.ml.metrics import measure  # noqa: PLC0415 - pandas

        with translating_ml_errors(f"{metric} of {self._ref(self.candidate)}"):
            if self.model.signature.output == "probability":
                require_probabilities(self._table(self.candidate))
            return measure(metric, self._table(self.candidate), self.problem.target.positive)

    def gain(self, metric: str, *, resamples: int, level: float, test: PairedTest) -> Gain:
        """Compare candidate and champion on the same rows."""
        from mlgit.ml import compare, paired  # noqa: PLC0415 - pandas

        candidate, champion = self._paired
        positive = self.problem.target.positive
        with translating_ml_errors(f"the gain in {metric}"):
            if test == "delong":
                return paired.delong(candidate, champion, positive, level=level)
            if test == "mcnemar":
                return paired.mcnemar(candidate, champion, positive, level=level)
            return compare.paired_bootstrap(
                metric, candidate, champion, positive, resamples=resamples, seed=self._seed, level=level
            )

    def baseline_gain(self, metric: str, *, resamples: int, level: float) -> Gain:
        """Compare candidate and baseline on the candidate's test rows."""
        from mlgit.ml import baseline, compare  # noqa: PLC0415 - pandas

        stated = self.problem.baseline
        assert stated is not None  # noqa: S101 - gates skip where there is none
        table, positive = self._table(self.candidate), self.problem.target.positive
        column = None if stated.column is None else self._test_column(stated.column)
        with translating_ml_errors(f"the gain in {metric} over the baseline"):
            answers = baseline.baseline_answers(metric, table, stated, positive, column)
            return compare.paired_bootstrap(
                metric, table, answers, positive, resamples=resamples, seed=self._seed, level=level
            )

    def slice_gains(
        self, metric: str, *, min_rows: int, resamples: int, level: float, max_drop: float, correction: Correction
    ) -> Sequence[SliceGain]:
        """Compare candidate and champion on each slice of the same rows."""
        from mlgit.ml.slices import slice_gains  # noqa: PLC0415 - pandas

        candidate, champion = self._paired
        with translating_ml_errors(f"the gain in {metric} on slices"):
            return slice_gains(
                metric,
                candidate,
                champion,
                self.problem.metric.slices,
                self.problem.target.positive,
                min_rows=min_rows,
                resamples=resamples,
                seed=self._seed,
                level=level,
                max_drop=max_drop,
                correction=correction,
            )

    def slice_values(
        self, metric: str, columns: Sequence[str], *, min_rows: int, resamples: int, level: float | None
    ) -> Sequence[SliceValue]:
        """Compute a metric of the candidate on each slice."""
        from mlgit.ml.slices import slice_values  # noqa: PLC0415 - pandas

        with translating_ml_errors(f"{metric} on slices"):
            return slice_values(
                self._table(self.candidate),
                metric,
                columns,
                self.problem.target.positive,
                min_rows=min_rows,
                level=level,
                resamples=resamples,
                seed=self._seed,
            )

    def group_measures(
        self, measures: Sequence[str], columns: Sequence[str], *, min_rows: int
    ) -> Sequence[GroupMeasure]:
        """Compute rates or metrics of the candidate on each group."""
        from mlgit.ml.fairness import group_measures  # noqa: PLC0415 - pandas

        with translating_ml_errors(f"{' and '.join(measures)} of groups"):
            return group_measures(
                self._table(self.candidate), measures, columns, self.problem.target.positive, min_rows=min_rows
            )

    def calibration(self, *, bins: int) -> CalibrationErrors:
        """Compare the candidate's scores with the labels."""
        from mlgit.ml.calibration import calibration  # noqa: PLC0415 - pandas

        with translating_ml_errors(f"the calibration of {self._ref(self.candidate)}"):
            return calibration(self._table(self.candidate), self.problem.target.positive, bins=bins)

    def drift(self) -> Drift:
        """Compare the profiles of both training tables."""
        champion = self.champion
        assert champion is not None  # noqa: S101 - gates skip where there is none
        return evidence_numbers.profile_drift(self._state, champion, self.candidate)

    def overlap(self, training: Sequence[str]) -> Overlap:
        """Search the candidate's test rows in the data that it was made from."""
        trained_on = evidence_numbers.load_profile(self._state, self.candidate).rows
        with translating_ml_errors("the overlap of test and training rows"):
            return evidence_numbers.train_test_overlap(
                self.candidate,
                self._table(self.candidate),
                self.model.keys,
                training,
                trained_on=trained_on,
                table_of=self._dataset,
            )

    def feature_strengths(self) -> Sequence[FeatureStrength]:
        """Compute how well each stored feature alone predicts the labels of the candidate's test rows."""
        from mlgit.ml.leakage import feature_strengths  # noqa: PLC0415 - pandas

        features = self.candidate.evaluation.features
        assert features is not None  # noqa: S101 - gates check this first
        target, labels = self.problem.target, self._table(self.candidate)["label"]
        columns = self.candidate.inputs.columns or list(self.model.signature.inputs)
        with translating_ml_errors("the strength of single features"):
            return feature_strengths(self._content(features), labels, columns, target.type, target.positive)

    def missing_files(self) -> Sequence[str]:
        """Query the remote for the candidate's files and data."""
        return evidence_files.missing_files(self._store, self.candidate)

    def inspect_model_file(self) -> ModelFileInspection:
        """Inspect the candidate's model file without loading it."""
        return self._inspected

    def input_columns(self, version: Version) -> Mapping[str, InputColumn]:
        """Read the input columns of a version from its record and its profile."""
        return evidence_files.input_columns(self._state, version)

    def lock_digest(self) -> Digest | None:
        """Hash the file that pins the packages at the candidate's training commit."""
        return evidence_files.lock_digest(self._workspace, self.candidate)

    def rescore(self) -> PredictionComparison:
        """Compare predictions of the candidate's model file for its stored features with the stored ones."""
        score = partial(
            rescoring.score,
            self._workspace,
            self._store,
            self.candidate,
            self.problem,
            self._trusted,
            on=self.candidate,
        )
        scored = score()
        with translating_ml_errors(f"predictions of {self._ref(self.candidate)}"):
            return rescoring.compare(
                scored, self._table(self.candidate), self.problem, lambda name: score(of_class=name)
            )

    def reproduce(self, *, seconds: int) -> PredictionComparison:
        """Train the candidate again from its recorded inputs."""
        with translating_ml_errors(f"predictions of {self._ref(self.candidate)}, trained again,"):
            return rescoring.reproduce(
                self._workspace, self._store, self.candidate, self._table(self.candidate), seconds=seconds
            )

    def run_command(self, command: Sequence[str], settings: Mapping[str, Any], *, seconds: int) -> CommandAnswer:
        """Run a team's own command in a checkout of the base commit."""
        inputs = team_gates.CommandInputs(self.problem, self.model, self.candidate, self.champion, self.at)
        return team_gates.run(self._workspace, self._state, self._store, inputs, command, settings, seconds=seconds)

    def installed_gate(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        """Find a gate function in an installed package."""
        return self._workspace.team_gates.installed(name)

    def _check_model_file(self) -> list[Finding]:
        """Check that the model file is what is recorded; which types are trusted is not a question of integrity."""
        inspected = self.inspect_model_file()
        return inspected.findings if inspected.format is None else list(check_model_file(self.candidate, inspected))

    @cached_property
    def _inspected(self) -> ModelFileInspection:
        return evidence_files.inspect_model_file(self._workspace, self._store, self.candidate, self._trusted)

    @property
    def _trusted(self) -> bytes:
        return self._state.tree.read(layout.TRUSTED_TYPES) or b""

    @cached_property
    def _store(self) -> VersionStore:
        return self._workspace.versions(self._state.project().remote)

    @property
    def _seed(self) -> int:
        """Seed of the bootstrap: the same for everybody, and fixed before there is a candidate.

        It follows from the problem and the version to compare with. Whoever registers a version could choose a digest of it, by
        registering again and again, but not this.
        """
        champion = None if self.champion is None else self.champion.digest
        return int(digest_of({"problem": digest(self.problem), "champion": champion})[7:15], 16)

    def _ref(self, version: Version) -> VersionRef:
        return VersionRef(version.model, version.version)

    def _table(self, version: Version) -> "DataFrame":
        return self._content(version.evaluation.predictions)

    def _dataset(self, name: str) -> "DataFrame":
        return self._content(self.candidate.inputs.data[name], self._contract(name))

    def _contract(self, name: str) -> Dataset | None:
        """Return the contract that says what the texts of a CSV file mean; None if it does not exist any more."""
        return self._state.find(Dataset, layout.dataset(name))

    def _content(self, stored: StoredFile, contract: Dataset | None = None) -> "DataFrame":
        key = (stored.sha256, None if contract is None else contract.name)
        if key not in self._tables:
            with self._store.fetch(stored) as path:
                self._tables[key] = self._workspace.tables.frame(path, contract)
        return self._tables[key]

    def _test_column(self, name: str) -> "pd.Series[Any]":
        """Return a column of the candidate's test rows: of its stored features, or else of its predictions."""
        stored = self.candidate.evaluation
        tables = [self._content(file) for file in (stored.features, stored.predictions) if file is not None]
        found = next((table[name] for table in tables if name in table.columns), None)
        if found is None:
            columns = sorted({str(column) for table in tables for column in table.columns})
            raise refused(
                "baseline-column-unknown",
                f"no column {name} is stored with {self._ref(self.candidate)}",
                why=f"its test features and predictions have {', '.join(columns)}",
                fix="name one of those as `baseline.column` of the problem, or let the evaluate stage write it",
                at=Location(layout.problem(self.problem.name), path="baseline.column"),
            )
        return found

    @cached_property
    def _paired(self) -> "tuple[DataFrame, DataFrame]":
        from mlgit.ml.compare import align  # noqa: PLC0415 - pandas

        champion = self.champion
        assert champion is not None  # noqa: S101 - gates skip where there is none
        same = champion.evaluation.split == self.candidate.evaluation.split
        predictions = self._table(champion) if same else self._champion_on_new_rows
        with translating_ml_errors("the comparison"):
            return align(self._table(self.candidate), predictions, self.model.keys)

    @cached_property
    def _champion_on_new_rows(self) -> "DataFrame":
        """The champion's predictions for the candidate's test rows, from its model file, in a guarded process."""
        champion = self.champion
        assert champion is not None  # noqa: S101 - gates skip where there is none
        if self.candidate.evaluation.features is None:
            raise refused(
                "test-split-changed",
                f"{self._ref(self.candidate)} and {self._ref(champion)} were not tested on the same rows",
                why="the keys or labels of their test splits differ, and the candidate's features were not kept",
                fix="name outputs.test in the model's file and register again: the champion is then scored on the new rows",
            )
        scored = rescoring.score(self._workspace, self._store, champion, self.problem, self._trusted, on=self.candidate)
        table = self._table(self.candidate).drop(columns=["score", "prediction"], errors="ignore")
        column = "prediction" if scored.score is None else "score"
        table = table.assign(**{column: scored.prediction if scored.score is None else scored.score})
        if column == "score":  # predicted labels too, for metrics that need them
            table = table.assign(prediction=_labels_of(scored.score, table["label"], self.problem.target.positive))
        return table

    def _check_metrics(self) -> Sequence[Finding]:
        findings = []
        for metric, recorded in self.candidate.evaluation.metrics.items():
            computed = self.metric_value(metric)
            if abs(computed - recorded) > _TOLERANCE * max(1.0, abs(recorded)):
                findings.append(
                    Finding(
                        "metric-mismatch",
                        f"{metric} of {self._ref(self.candidate)} is recorded as {recorded:g}; its predictions give {computed:g}",
                        fix="register again; numbers in a record are computed, never typed",
                        at=Location(f"{self._folder}/version.json", path=f"evaluation.metrics.{metric}"),
                    )
                )
        return findings

    def _check_dataset(self, name: str) -> DatasetCheck:
        with self._store.fetch(self.candidate.inputs.data[name]) as path:
            result = contracts.check_contract(self._workspace.tables, path, self._state.dataset(name), at=self.at)
        return DatasetCheck(result.rows, [violation.message for violation in result.violations])

    def _with_revocation(self, name: str, check: DatasetCheck) -> DatasetCheck:
        revoked = self._state.dataset(name).revoked
        if revoked is None or revoked.since > self.at.date():
            return check
        return DatasetCheck(check.rows, [f"revoked since {revoked.since}: {revoked.reason}", *check.violations])


def _labels_of(scores: Any, labels: Any, positive: Label | None) -> list[Any]:
    """Return the predicted label for each score, in the type of the labels: positive from a score of 0.5 on."""
    others = [label for label in labels.unique().tolist() if label != positive]
    negative = others[0] if others else None
    return [positive if score >= _DECISION_THRESHOLD else negative for score in scores]
