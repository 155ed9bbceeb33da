"""From files to records: each is read once, what is wrong is said for all of them, and wrong names get a hint."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from mlgit.domain.codec import to_json
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, GateReport, Problem, Record, Roles, Version
from mlgit.edges.formats.records import read_record
from mlgit.errors import Exit, Location, MlgitError, UsageError
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from tests import samples
from tests.dicttree import DictTree
from tests.unit.ops.projects import edited, healthy, promoted, registered, report_path, state, version_files, yaml

PROBLEM = "problems/late-arrival.yaml"


class Counting(DictTree):
    """A tree that keeps what was read from it, a list for each read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self.reads: list[list[str]] = []

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        wanted = list(paths)
        self.reads.append(wanted)
        return super().read_many(wanted)


def refused(ask: Callable[[], Any]) -> Any:
    with pytest.raises(MlgitError) as error:
        ask()
    (finding,) = error.value.findings
    return finding


def test_a_state_says_what_there_is() -> None:
    there = state({"models/churn/model.yaml": yaml(samples.model(name="churn")), "models/README.md": b""})
    assert there.environments() == ["staging", "production"]
    assert there.models() == ["churn", "delay"]
    assert there.numbers("delay") == [1, 2]
    assert there.numbers_of(["delay", "churn", "nothing"]) == {"delay": [1, 2], "churn": [], "nothing": []}
    assert list(there.promotions()) == [("production", "delay")]
    assert there.project().name == "acme"
    assert there.roles().people.keys() == {"ada", "bea", "robot"}


def test_labels_are_numbers_and_sort_as_such() -> None:
    extra = {f"models/delay/versions/{name}/version.json": b"" for name in ("v10", "v9", "vx", "x3", "v", "v1.2")}
    assert state(extra | {"models/delay/versions/v11": b"a file"}).numbers("delay") == [1, 2, 9, 10]


def test_a_champion_is_the_version_that_a_manifest_names() -> None:
    there = state()
    assert there.champion("production", "delay") == registered(1)
    assert there.champion("staging", "delay") is None
    assert there.promotion("staging", "delay") is None
    assert there.version(VersionRef("delay", 2)) == registered(2)
    assert there.find_version("delay", 9) is None
    assert there.primary_metrics(["delay", "nothing"]) == {"delay": "roc_auc"}


def test_without_a_roles_file_nobody_has_a_role() -> None:
    assert state({".mlgit/roles.yaml": None}).roles() == Roles(schema=1, people={})


@pytest.mark.parametrize(
    ("ask", "finding", "fix"),
    [
        (lambda there: there.model("dely"), "model-unknown", "did you mean delay?"),
        (lambda there: there.model("churn"), "model-unknown", "`mlgit new model churn` drafts one"),
        (lambda there: there.problem("late-arival"), "problem-unknown", "did you mean late-arrival?"),
        (lambda there: there.dataset("flight"), "dataset-unknown", "did you mean flights?"),
        (lambda there: there.policy("prod"), "policy-unknown", "did you mean production?"),
        (lambda there: there.environment("stagign"), "environment-unknown", "did you mean staging?"),
        (lambda there: there.version(VersionRef("dely", 1)), "model-unknown", "did you mean delay?"),
    ],
)
def test_a_wrong_name_gets_a_hint(ask: Callable[[Lifecycle], Record], finding: str, fix: str) -> None:
    found = refused(lambda: ask(state()))
    assert (found.id, found.fix) == (finding, fix)


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ([], "delay has no versions yet"),
        ([1], "delay has version 1 only"),
        ([1, 2], "delay has versions 1 and 2"),
        ([1, 2, 3], "delay has versions 1, 2 and 3"),
        (range(1, 9), "delay has versions ..., 3, 4, 5, 6, 7 and 8"),
    ],
)
def test_an_unknown_version_names_those_near_the_newest(numbers: Iterable[int], why: str) -> None:
    files = {path: content for path, content in healthy().items() if "/versions/" not in path}
    for number in numbers:
        files |= version_files(number)
    there = Lifecycle(DictTree(files), read_record)
    found = refused(lambda: there.version(VersionRef("delay", 99), at=Location("a.yaml", 3)))
    assert (found.id, found.message, found.why) == ("version-unknown", "delay@99 does not exist", why)
    assert found.at == Location("a.yaml", 3)


def test_a_repository_without_a_project_says_how_to_begin() -> None:
    found = refused(state({"mlgit.yaml": None}).environments)
    assert found.id == "not-a-project"
    assert "mlgit init" in found.fix


def test_the_only_model_needs_no_name() -> None:
    assert state().resolve_model(None) == state().resolve_model("delay") == "delay"
    two = state({"models/churn/model.yaml": yaml(samples.model(name="churn"))})
    for there, message in ((two, "there are 2 models"), (state(dict.fromkeys(healthy())), "there is no model yet")):
        with pytest.raises(UsageError, match=message) as error:
            there.resolve_model(None)
        assert error.value.exit is Exit.USAGE


def test_a_record_is_read_once_and_many_in_one_go() -> None:
    tree = Counting(healthy())
    there = Lifecycle(tree, read_record)
    paths = [f"models/delay/versions/v{number}/version.json" for number in (1, 2, 3)]
    assert there.read(Version, paths) == {paths[0]: registered(1), paths[1]: registered(2), paths[2]: None}
    assert there.find_version("delay", 1) is there.find_version("delay", 1)
    assert [read for read in tree.reads if read] == [paths]


def test_what_is_not_kept_is_read_again() -> None:
    tree = Counting(healthy())
    there = Lifecycle(tree, read_record)
    assert there.read_each([PROBLEM], keep=False)[0].keys() == {PROBLEM}
    assert there.find(Problem, PROBLEM) == samples.problem()
    assert [read for read in tree.reads if read] == [[PROBLEM], [PROBLEM]]


def test_every_problem_of_every_file_is_said_at_once() -> None:
    broken = edited(PROBLEM, "risk: high", "rsk: 1\nrisk: high\nownr: 2")
    there = state(broken | {"problems/b.yaml": b"kind: [", "problems/c.yaml": yaml(samples.problem(name="c"))})
    with pytest.raises(MlgitError) as error:
        there.read(Problem, [PROBLEM, "problems/b.yaml", "problems/c.yaml"])
    assert [finding.id for finding in error.value.findings] == ["key-unknown", "key-unknown", "yaml-syntax-error"]
    records, problems = there.read_each([PROBLEM, "problems/b.yaml", "problems/c.yaml", "problems/d.yaml"])
    assert records == {"problems/c.yaml": samples.problem(name="c"), "problems/d.yaml": None}
    assert len(problems) == 3


# What does not fit breaks nothing


@pytest.mark.parametrize("path", [PROBLEM, "mlgit.yaml", "policies/production.yaml"])
def test_a_manifest_that_names_another_kind_of_file_as_its_report_is_refused(path: str) -> None:
    found = refused(lambda: state().find(GateReport, path))
    assert (found.id, found.at) == ("record-kind-mismatch", Location(path))
    assert "gate-report" in found.message


def test_an_environment_that_is_listed_twice_breaks_nothing() -> None:
    there = state({"mlgit.yaml": yaml(samples.project(environments=["production", "production"]))})
    assert list(there.promotions()) == [("production", "delay")]


@pytest.mark.parametrize("label", ["v" + "9" * 5000, "v1234567890", "v0", "v01", "v\u0663"])
def test_a_label_that_no_version_can_have_breaks_nothing(label: str) -> None:
    assert state({f"models/delay/versions/{label}/version.json": b""}).numbers("delay") == [1, 2]


@pytest.mark.parametrize("stray", ["notes.md", "1.json.sig", "old/1.json", "09.json", f"{'9' * 5000}.json"])
def test_a_stray_file_among_deployments_breaks_nothing(stray: str) -> None:
    files = {f"deployments/staging/delay/{stray}": b"", "deployments/staging/delay/1.json": to_json(deployment(1))}
    assert Ledger(DictTree(files), read_record).last_deployments([("staging", "delay")]).keys() == {
        ("staging", "delay")
    }


# The ledger


def deployment(seq: int) -> Deployment:
    return Deployment(
        schema=1,
        environment="staging",
        model="delay",
        seq=seq,
        promotion=samples.ULID,
        status="verified",
        version=1,
        digest=registered(1).digest,
        artifact=registered(1).artifact.sha256,
        target={},
        commit="4be1" * 10,
        at=samples.NOW,
        previous=None,
    )


def test_the_newest_deployment_is_the_one_with_the_highest_number() -> None:
    files = {f"deployments/staging/delay/{seq}.json": to_json(deployment(seq)) for seq in (1, 9, 10)}
    ledger = Ledger(DictTree(files), read_record)
    assert ledger.last_deployments([("staging", "delay"), ("production", "delay")]) == {
        ("staging", "delay"): deployment(10)
    }
    assert ledger.find(Deployment, "deployments/staging/delay/9.json") == deployment(9)


def test_a_ledger_gives_the_files_directly_in_a_folder() -> None:
    files = {
        "approvals/a/1.json": b"1",
        "approvals/a/1.json.sig": b"2",
        "approvals/a/b/2.json": b"3",
        "approvals/ab/3.json": b"4",
    }
    ledger = Ledger(DictTree(files), read_record)
    assert ledger.files("approvals/a") == {"approvals/a/1.json": b"1", "approvals/a/1.json.sig": b"2"}
    assert ledger.files("approvals/nothing") == {}


def test_a_ledger_that_is_not_there_yet_is_empty() -> None:
    ledger = Ledger(None, read_record)
    assert ledger.last_deployments([("staging", "delay")]) == {}
    assert ledger.find(Deployment, "deployments/staging/delay/1.json") is None
    assert ledger.files("approvals/a") == {}


def test_the_report_that_a_manifest_names_is_read() -> None:
    manifest, files = promoted(1)
    assert manifest.gates is not None
    assert manifest.gates.report == report_path(1)
    assert to_json(state().find(GateReport, manifest.gates.report) or manifest) == files[report_path(1)]
