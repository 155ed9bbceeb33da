"""The files of a generated project, written by mlgit's own code, so that digests and cards match their records."""

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import msgspec

from mlgit.domain import carddraft, layout
from mlgit.domain.codec import sha256, to_json, to_mapping, version_digest
from mlgit.domain.gates.base import Gate
from mlgit.domain.gates.card import CARD_SECTIONS, CardComplete
from mlgit.domain.gates.integrity import Integrity
from mlgit.domain.gates.metrics import BeatsBaseline, BeatsChampion, Threshold
from mlgit.domain.records import Dataset, Environment, Model, Policy, Problem, Project, Record, Roles, Version
from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.records.environment import DirectoryTargetSpec
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.model import ModelSignature, Outputs
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules
from mlgit.domain.records.problem import Baseline, Decision, PredictionTarget, ProblemMetric
from mlgit.domain.records.version import Artifact, Evaluation, GitBlobs, GitIdentity, Inputs, SliceMetric, StoredFile
from mlgit.edges.dvc import pointers
from mlgit.edges.formats import yamlfile
from mlgit.edges.git.objects import object_id
from mlgit.ml import profile

START: Final = datetime(2025, 1, 1, tzinfo=UTC)
ENVIRONMENTS: Final = ("staging", "production")
_DATASETS = 20
_MODELS_PER_PROBLEM = 10
_SLICES = 12
_FEATURES = tuple(f"feature_{index:02}" for index in range(8))
_PROSE = "\n\n".join(f"## {heading}\n\nA short text about {heading.lower()}." for heading in CARD_SECTIONS)


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The records that people write, by name."""

    project: Project
    roles: Roles
    environments: dict[str, Environment]
    policies: dict[str, Policy]
    problems: dict[str, Problem]
    datasets: dict[str, Dataset]
    models: dict[str, Model]


_COUNTS = range(1_000, 2_500)


def make_records(models: int) -> Records:
    """Return the records of a project with this many models, ten for each problem."""
    problems = [f"problem-{1 + index // _MODELS_PER_PROBLEM:03}" for index in range(models)]
    datasets = [f"dataset-{index:03}" for index in range(1, _DATASETS + 1)]
    return Records(
        project=Project(schema=1, name="benchmark", environments=list(ENVIRONMENTS)),
        roles=Roles(schema=1, people={"ada": RoleHolder(emails=["ada@example.org"], roles=["ml-reviewer"])}),
        environments={
            "staging": _environment("staging", after=[]),
            "production": _environment("production", after=["staging"]),
        },
        policies={
            "staging": _policy("staging", [Integrity(), Threshold(metric="roc_auc", min=0.6), CardComplete()]),
            "production": _policy("production", [Integrity(), BeatsBaseline(), BeatsChampion(), CardComplete()]),
        },
        problems={name: _problem(name) for name in dict.fromkeys(problems)},
        datasets={name: _dataset(name) for name in datasets},
        models={
            f"model-{index + 1:03}": _model(f"model-{index + 1:03}", problems[index], _pick_two(datasets, index))
            for index in range(models)
        },
    )


def foundation(records: Records) -> dict[str, bytes]:
    """Return the files of the project before its first version."""
    by_path: dict[str, Record] = {
        layout.PROJECT: records.project,
        layout.ROLES: records.roles,
        **{layout.environment(name): record for name, record in records.environments.items()},
        **{layout.policy(name): record for name, record in records.policies.items()},
        **{layout.problem(name): record for name, record in records.problems.items()},
        **{layout.dataset(name): record for name, record in records.datasets.items()},
        **{layout.model(name): record for name, record in records.models.items()},
    }
    files = {path: yaml(path, record) for path, record in by_path.items()}
    files |= {
        f"datasets/{name}/{record.path}.dvc": pointers.render(_data(name, record.path))
        for name, record in records.datasets.items()
    }
    return files | {layout.model_card(name): _PROSE.encode() for name in records.models}


def yaml(path: str, record: Record) -> bytes:
    """Return the YAML of a record at a path, as mlgit drafts it."""
    to_root = "../" * path.count("/")
    schema = f"{to_root}{layout.SCHEMAS}/{record.__struct_config__.tag}.schema.json"
    return yamlfile.dump(to_mapping(record), schema)


def version(
    records: Records, model: Model, number: int, *, commit: str, at: datetime
) -> tuple[Version, dict[str, bytes]]:
    """Return a version of a model and the files of its folder.

    Args:
        records: the records of the project.
        model: the model.
        number: the number of the version, which with the name of the model determines its content.
        commit: the training commit.
        at: the time of registration.
    """
    problem = records.problems[model.problem]
    generator = random.Random(f"{model.name}@{number}")
    artifact = Artifact(**to_mapping(_stored(f"{model.name}@{number} model", "model.skops", 40_000)), format="skops")
    evaluation = _evaluation(model, number, generator)
    inputs = Inputs(
        commit=commit,
        code=sha256(f"{model.name} code {number}".encode()),
        data={name: _data(name, records.datasets[name].path) for name in model.datasets},
        params=_params(number, generator),
        lock=sha256(b"requirements"),
    )
    front_matter = yamlfile.dump(carddraft.front_matter(problem, model, artifact, evaluation, inputs))
    card = b"---\n" + front_matter + b"---\n\n" + carddraft.body(problem, model, evaluation, _PROSE).encode()
    reference = profile.to_json(_profile(model.name, generator))
    draft = Version(
        schema=1,
        model=model.name,
        version=number,
        digest="sha256:" + "0" * 64,
        artifact=artifact,
        card=sha256(card),
        profile=sha256(reference),
        inputs=inputs,
        evaluation=evaluation,
        trained_by=GitIdentity(name="Ada Example", email="ada@example.org"),
        registered_at=at,
        seed=7,
        blobs=GitBlobs(card=object_id("sha1", b"blob", card), profile=object_id("sha1", b"blob", reference)),
    )
    record = msgspec.structs.replace(draft, digest=version_digest(draft))
    folder = layout.version_folder(model.name, number)
    files = {
        f"{folder}/version.json": to_json(record),
        f"{folder}/card.md": card,
        f"{folder}/profile.json": reference,
    }
    return record, files


def time_of_step(step: int) -> datetime:
    """Return the time of a step of history; steps are ten minutes apart."""
    return START + timedelta(minutes=10 * step)


def _environment(name: str, after: list[str]) -> Environment:
    return Environment(
        schema=1, name=name, policy=name, target=DirectoryTargetSpec(path=f"deployed/{name}"), after=after
    )


def _policy(name: str, gates: list[Gate]) -> Policy:
    rule = ApprovalRules(promote=ApprovalRule(min=0))
    return Policy(schema=1, name=name, gates=gates, approvals=rule, evidence="none")  # type: ignore[arg-type]


def _problem(name: str) -> Problem:
    return Problem(
        schema=1,
        name=name,
        owner="@example/ml",
        risk="medium",
        decision=Decision(action="Unusual cases are reviewed first.", human_in_loop=True),
        target=PredictionTarget(column="target", type="binary", positive=1),
        metric=ProblemMetric(primary="roc_auc", slices=["region"]),
        baseline=Baseline(method="The same for everybody."),
    )


def _dataset(name: str) -> Dataset:
    columns = {feature: ColumnRule(type="number", min=0.0, max=1.0) for feature in _FEATURES}
    columns |= {"row_id": ColumnRule(type="integer", nullable=False), "target": ColumnRule(type="integer", in_=[0, 1])}
    columns["region"] = ColumnRule(type="string")
    return Dataset(schema=1, name=name, owner="@example/data", path=f"{name}.parquet", columns=columns, keys=["row_id"])


def _model(name: str, problem: str, datasets: list[str]) -> Model:
    return Model(
        schema=1,
        name=name,
        problem=problem,
        datasets=datasets,
        outputs=Outputs(
            model=f"out/{name}.skops", predictions=f"out/{name}-predictions.parquet", train=f"out/{name}-train.parquet"
        ),
        reads=["src", "params.yaml"],
        keys=["row_id"],
        signature=ModelSignature(inputs=dict.fromkeys(_FEATURES, "number"), output="probability"),
    )


def _pick_two(datasets: list[str], index: int) -> list[str]:
    return [datasets[index % _DATASETS], datasets[(index + 7) % _DATASETS]]


def _stored(seed: str, path: str, size: int) -> StoredFile:
    content = seed.encode()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return StoredFile(path=path, sha256=sha256(content), md5=md5, size=size + len(content))


@cache
def _data(name: str, path: str) -> StoredFile:
    return _stored(name, path, 5_000_000)


def _evaluation(model: Model, number: int, generator: random.Random) -> Evaluation:
    score = 0.7 + 0.2 * generator.random()
    return Evaluation(
        predictions=_stored(f"{model.name}@{number} predictions", "predictions.parquet", 90_000),
        split=sha256(f"{model.problem} split".encode()),
        rows=10_000,
        metrics={"roc_auc": score, "average_precision": score - 0.1, "log_loss": 1 - score, "brier": 0.5 - score / 2},
        slices=[
            SliceMetric(column="region", value=f"region-{index:02}", rows=400, metric=score + 0.02 * generator.random())
            for index in range(_SLICES)
        ],
        p95_ms=round(2 + generator.random(), 3),
    )


def _params(number: int, generator: random.Random) -> dict[str, object]:
    tree = {"max_depth": generator.randint(2, 12), "learning_rate": generator.random(), "rounds": 100 + number}
    return {"train": {"seed": 7, **tree}, "split": {"seed": 7, "test_size": 0.2}, "task": "binary"}


def _profile(model: str, generator: random.Random) -> profile.TableProfile:
    columns: Mapping[str, profile.NumericProfile | profile.CategoricalProfile] = {
        **{name: _numbers(f"{model} {name}", generator) for name in _FEATURES},
        "region": profile.CategoricalProfile(
            n=40_000,
            missing=0,
            counts={f"region-{index:02}": count for index, count in enumerate(generator.choices(_COUNTS, k=_SLICES))},
            other=0,
        ),
    }
    return profile.TableProfile(rows=40_000, columns=dict(columns))


def _numbers(column: str, generator: random.Random) -> profile.NumericProfile:
    counts = tuple(generator.choices(_COUNTS, k=20))  # many calls of `randint` would take most of the time
    n = sum(counts)
    return profile.NumericProfile(
        n=n,
        missing=generator.randint(0, 50),
        edges=_edges(column),
        counts=counts,
        sum=n * generator.random(),
        sum_squares=n * generator.random(),
        min=0.0,
        max=1.0,
    )


@cache
def _edges(column: str) -> tuple[float, ...]:
    generator = random.Random(column)
    return tuple(sorted(round(generator.random(), 4) for _ in range(19)))
