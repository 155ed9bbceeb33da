"""Stages of dvc.yaml, read without DVC: the same as DVC reads them."""

import os
import subprocess
from pathlib import Path

import pytest

from mlgit.cli.session import Session
from mlgit.domain.pipeline import Stage
from mlgit.errors import MlgitError
from tests.dicttree import DictTree

FORMATS = Session(Path()).formats

TEMPLATES = {
    "plain": {
        "dvc.yaml": "stages: {a: {cmd: c, deps: [x, y/z], outs: [{o: {cache: false}}], metrics: [m], plots: [{p: {x: i}}]}}"
    },
    "wdir": {
        "sub/dvc.yaml": "stages: {a: {cmd: c, wdir: ../w, deps: [x, ../y], params: [k, {o.yaml: [j]}], outs: [o]}}"
    },
    "foreach of a list": {
        "dvc.yaml": (
            "stages:\n  a:\n    foreach: [u, 1, true]\n    do:\n      cmd: c\n      deps: ['${item}.csv']\n"
            "      outs: ['o-${item}']"
        )
    },
    "foreach of a mapping": {
        "dvc.yaml": (
            "stages:\n  a:\n    foreach: ${sets}\n    do:\n      cmd: c\n      wdir: ${item.folder}\n"
            "      deps: ['${key}-${item.files[1]}']\n      outs: [o]"
        ),
        "params.yaml": "sets: {u: {folder: f, files: [a, b]}, v: {folder: g, files: [c, d]}}",
    },
    "foreach of composed items": {
        "dvc.yaml": "stages:\n  a:\n    foreach: [{n: u}, {n: v}]\n    do: {cmd: c, deps: ['${item.n}'], outs: ['o${item.n}']}"
    },
    "matrix": {
        "dvc.yaml": (
            "vars: [{sizes: [1, 2]}]\nstages:\n  a:\n    matrix: {m: [u, {n: v}], s: '${sizes}'}\n    cmd: c\n"
            "    deps: ['${item.s}.csv']\n    outs: ['o-${key}']"
        )
    },
    "variables of several files": {
        "dvc.yaml": (
            "vars: [one.json, 'two.toml:b', {deep: {x: 1}}, {deep: {y: 2}}]\nstages:\n  a:\n    cmd: c\n"
            "    vars: [{own: z}]\n    deps: ['${a}', '${b}', '${deep.x}${deep.y}', '${own}']\n    outs: ['\\${o}']"
        ),
        "one.json": '{"a": "from-json"}',
        "two.toml": 'b = "from-toml"\nc = 1',
    },
    "files of parameters by variable": {
        "dvc.yaml": "vars: [{p: other.yaml}]\nstages: {a: {cmd: c, params: [lr, {'${p}': [k]}, {whole.yaml: null}], outs: [o]}}",
        "params.yaml": "lr: 1",
    },
}
"""Trees with templates, by what is special about them."""


def stages(files: dict[str, str]) -> list[Stage]:
    return list(FORMATS.stages(DictTree(files)))


def by_dvc(root: Path) -> dict[str, dict[str, set[str]]]:
    """What DVC itself reads, by the name of a stage."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    read = {}
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:

            def paths(items: list[object]) -> set[str]:
                return {os.path.relpath(item.fs_path, root) for item in items}  # type: ignore[attr-defined]

            read[stage.addressing] = {
                "deps": paths([item for item in stage.deps if not isinstance(item, ParamsDependency)]),
                "params": paths([item for item in stage.deps if isinstance(item, ParamsDependency)]),
                "outs": paths(stage.outs),
            }
    return read


@pytest.mark.parametrize("name", TEMPLATES)
def test_stages_are_those_that_dvc_reads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(os.path.realpath(tmp_path))
    for path, text in TEMPLATES[name].items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("")
    monkeypatch.chdir(root)  # DVC names stages by their path from here
    read = {
        stage.address: {"deps": set(stage.deps), "params": set(stage.params), "outs": set(stage.outs)}
        for stage in stages(TEMPLATES[name])
    }
    assert read == by_dvc(root)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"dvc.yaml": "stages: {a: {cmd: c, deps: ['${nothing}']}}"}, "there is no variable nothing"),
        ({"dvc.yaml": "stages: {a: {cmd: c, deps: {x: 1}}}"}, "have to be lists"),
        ({"dvc.yaml": "stages: [a]"}, "not a mapping"),
        ({"dvc.yaml": "stages: {a: {cmd: c, deps: [1]}}"}, "1 is not a path"),
        ({"dvc.yaml": "vars: [{l: [1]}]\nstages: {a: {cmd: c, deps: ['x${l}']}}"}, "cannot be part of a text"),
        ({"dvc.yaml": "vars: [gone.yaml]\nstages: {a: {cmd: c, deps: ['${x}']}}"}, "no file gone.yaml"),
        ({"dvc.yaml": "vars: [../out.yaml]\nstages: {a: {cmd: c, deps: ['${x}']}}"}, "no file ../out.yaml"),
        ({"dvc.yaml": "stages: {a: {foreach: 3, do: {cmd: c}}}"}, "neither a list nor a mapping"),
        ({"dvc.yaml": "stages: {a: {foreach: [1]}}"}, "without `do`"),
        (
            {
                "dvc.yaml": f"stages: {{a: {{matrix: {{x: [{','.join('1' * 999)}], y: [{','.join('1' * 999)}]}}, cmd: c}}}}"
            },
            "more than 5,000 stages",
        ),
        (
            {"dvc.yaml": f"vars: [{{b: {'x' * 3000}}}]\nstages: {{a: {{cmd: c, deps: ['{'${b}' * 9999}']}}}}"},
            "becomes too long",
        ),
    ],
)
def test_stages_that_cannot_be_determined_are_refused(files: dict[str, str], why: str) -> None:
    with pytest.raises(MlgitError) as refusal:
        stages(files)
    (finding,) = refusal.value.findings
    assert (finding.id, why in finding.why) == ("pipeline-invalid", True)


def test_commands_are_not_filled_in() -> None:
    assert [stage.name for stage in stages({"dvc.yaml": "stages: {a: {cmd: 'run ${missing}', outs: [o]}}"})] == ["a"]


def test_a_file_of_parameters_that_is_no_mapping_is_refused() -> None:
    for file, content in (("p.json", b"[1]"), ("p.toml", b"x"), ("p.json", b"[" * 100_000)):
        with pytest.raises(MlgitError) as refusal:
            FORMATS.params(file, content)
        assert refusal.value.findings[0].id == "params-unreadable"
