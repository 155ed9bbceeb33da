"""Where versions come from and where they ran, as a graph."""

from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from mlgit.domain.lineage import (
    DataRef,
    LineageEdge,
    LineageGraph,
    LineageNode,
    LineageStep,
    build_origins_graph,
    build_runs_graph,
    merge_graphs,
    run_periods,
    walk,
)
from mlgit.domain.names import Digest
from mlgit.domain.records import Deployment
from mlgit.domain.records.ledger import ObservedVersion, OtherSlots
from mlgit.domain.records.version import StoredFile
from mlgit.errors import UsageError
from tests import samples

HOUR = timedelta(hours=1)
A, B, C = (samples.sha(number) for number in (1, 2, 3))


def hour(moment: datetime | None) -> int | None:
    """In which hour after the first entry a moment is."""
    return None if moment is None else int((moment - samples.NOW) / HOUR)


def entries(*seen: tuple[str, Digest | None]) -> list[Deployment]:
    """Entries of a ledger, an hour apart: what was observed, and by which status."""
    return [
        Deployment(
            schema=1,
            environment="production",
            model="delay",
            seq=number,
            promotion=samples.ULID,
            status=status,  # type: ignore[arg-type]  # one of three words
            version={A: 1, B: 2, C: 3}[digest] if digest and status == "verified" else None,
            digest=digest,
            artifact=None,
            target={},
            commit="a" * 40,
            at=samples.NOW + number * HOUR,
            previous=None,
        )
        for number, (status, digest) in enumerate(seen)
    ]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([("verified", A, None), ("verified", B, 10)], [(A, 0, None, None), (B, 1, None, 10)]),
        ([("verified", A, None), ("verified", B, 10), ("verified", B, 50)], [(A, 0, None, None), (B, 1, None, 50)]),
        ([("verified", A, None), ("verified", B, 10), ("verified", B, None)], [(A, 0, 2, None), (B, 1, None, None)]),
        ([("verified", A, None), ("verified", B, 10), ("verified", A, None)], [(A, 0, None, None), (B, 1, 2, 10)]),
        ([("verified", A, None), ("verified", B, 10), ("blocked", A, None)], [(A, 0, None, None), (B, 1, None, 10)]),
        ([("verified", A, None), ("verified", B, 10), ("degraded", None, None)], [(A, 0, 2, None), (B, 1, 2, 10)]),
        (
            [("verified", A, None), ("verified", B, 10), ("verified", C, 10)],
            [(A, 0, None, None), (B, 1, 2, 10), (C, 2, None, 10)],
        ),
    ],
)
def test_what_takes_over_step_by_step_runs_beside_the_other_from_its_first_share_on(
    seen: list[tuple[str, Digest | None, int | None]], expected: list[tuple[Digest, int, int | None, int | None]]
) -> None:
    listed = [
        msgspec.structs.replace(entry, traffic=share)
        for entry, (_, _, share) in zip(entries(*((word, digest) for word, digest, _ in seen)), seen, strict=True)
    ]
    assert [(one.digest, hour(one.since), hour(one.until), one.traffic) for one in run_periods(listed)] == expected


def test_what_stands_beside_the_champion_runs_while_it_is_seen() -> None:
    def with_beside(digest: Digest, share: int) -> OtherSlots:
        return OtherSlots(challenger=ObservedVersion(version=2, digest=digest, artifact=digest, traffic=share))

    words = ["verified", "verified", "blocked", "verified", "degraded", "verified"]
    places = [None, with_beside(B, 10), None, with_beside(B, 20), None, with_beside(C, 10)]
    listed = [
        msgspec.structs.replace(entry, beside=there)
        for entry, there in zip(entries(*((word, A) for word in words)), places, strict=True)
    ]
    found = [(one.digest, hour(one.since), hour(one.until), one.traffic) for one in run_periods(listed)]
    assert found == [(A, 0, None, None), (B, 1, 4, 20), (C, 5, None, 10)]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], []),
        ([("blocked", None)], []),
        ([("verified", A)], [(A, 0, None)]),
        ([("verified", A), ("verified", A)], [(A, 0, None)]),
        ([("verified", A), ("verified", B)], [(A, 0, 1), (B, 1, None)]),
        ([("verified", A), ("blocked", A), ("verified", B)], [(A, 0, 2), (B, 2, None)]),
        ([("verified", A), ("blocked", None), ("verified", A)], [(A, 0, 1), (A, 2, None)]),
        ([("verified", A), ("blocked", None)], [(A, 0, 1)]),
        ([("verified", A), ("verified", B), ("verified", A)], [(A, 0, 1), (B, 1, 2), (A, 2, None)]),
    ],
)
def test_times_begin_and_end_where_the_ledger_saw_something_else(
    seen: list[tuple[str, Digest | None]], expected: list[tuple[Digest, int, int | None]]
) -> None:
    assert [(one.digest, hour(one.since), hour(one.until)) for one in run_periods(entries(*seen))] == expected


STORED = StoredFile(path="flights.parquet", sha256="sha256:" + "3f9a" * 16, md5="9b1c" * 8, size=9)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("flights", True),
        ("weather", False),
        ("flights@3f9a", True),
        ("flights@9b1c9b1c", True),
        ("flights@9a3f", False),
        ("weather@3f9a", False),
        ("md5:9b1c", True),
        ("md5:3f9a", False),
        ("sha256:3f9a", True),
        ("sha256:9b1c", False),
        ("flights@md5:9b1c", True),
        ("flights@sha256:9b1c", False),
        (STORED.sha256, True),
        (f"flights@{STORED.sha256}", True),
        (f"md5:{STORED.md5}", True),
        (f"md5:{STORED.md5}.dir", False),
    ],
)
def test_data_is_named_by_dataset_by_digest_or_by_both(text: str, matches: bool) -> None:
    content = DataRef.parse(text)
    assert content.matches("flights", STORED) == matches
    assert str(content) == text


def test_a_folder_is_found_by_its_digest_with_and_without_the_ending() -> None:
    folder = msgspec.structs.replace(STORED, md5=f"{'9b1c' * 8}.dir")
    assert DataRef.parse(f"md5:{folder.md5}").matches("flights", folder)
    assert DataRef.parse(f"md5:{'9b1c' * 8}").matches("flights", folder)


@pytest.mark.parametrize(
    "text",
    ["", "@", "Flights", "flights@", "flights@3f", "flights@xyzw", "md5:", "sha256:3F9A", "a/b", "flights@md5:zz"],
)
def test_what_names_no_data_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        DataRef.parse(text)
    assert caught.value.findings[0].id == "data-reference-invalid"


def test_a_version_comes_from_data_code_parameters_packages_people_and_a_problem() -> None:
    version = samples.version(
        2, inputs=msgspec.structs.replace(samples.version().inputs, lock=samples.sha(9)), supersedes=1
    )
    graph = build_origins_graph(version, problem="late-arrival", commit={"author": "Ada"})
    assert [(edge.role, edge.source.partition(":")[0]) for edge in graph.edges] == [
        ("data", "data"),
        ("code", "code"),
        ("parameters", "params"),
        ("packages", "packages"),
        ("problem", "problem"),
        ("test split", "split"),
        ("trained by", "person"),
    ]
    assert {edge.target for edge in graph.edges} == {"version:delay@2"}
    facts = {node.id: node.facts for node in graph.nodes}
    assert facts[f"code:{version.inputs.commit}"] == {"digest": version.inputs.code, "author": "Ada"}
    assert facts[f"data:flights@{samples.sha(50)}"]["md5"] == f"{50:032x}"
    assert len(facts) == len(graph.edges) + 1


def test_packages_that_were_not_recorded_are_left_out() -> None:
    assert "packages" not in {
        edge.role for edge in build_origins_graph(samples.version(), problem="late-arrival").edges
    }


def test_a_version_ran_where_the_ledger_saw_its_digest() -> None:
    version = samples.version(1, digest=A)
    ran = {
        ("staging", "delay"): run_periods(entries(("verified", A), ("verified", B), ("verified", A))),
        ("production", "delay"): run_periods(entries(("verified", B))),
    }
    graph = build_runs_graph(version, ran)
    assert [(edge.target, edge.until is None) for edge in graph.edges] == [
        ("environment:staging/delay", False),
        ("environment:staging/delay", True),
    ]
    assert [node.id for node in graph.nodes] == ["version:delay@1", "environment:staging/delay"]


def graph_of(*pairs: str) -> LineageGraph:
    """A graph of one-letter nodes: `ab` is an edge from a to b."""
    names = sorted({letter for pair in pairs for letter in pair})
    nodes = [LineageNode(id=name, kind="version", label=name) for name in names]
    return LineageGraph(nodes, [LineageEdge(source=pair[0], target=pair[1], role="supersedes") for pair in pairs])


def told(steps: list[LineageStep]) -> str:
    return " ".join(f"{step.depth}{step.node.id}" for step in steps)


@pytest.mark.parametrize(
    ("pairs", "down", "up"),
    [
        (["ab"], "1b", ""),
        (["ba"], "", "1b"),
        (["ab", "bc", "ad"], "1b 2c 1d", ""),
        (["ab", "ac", "bd", "cd"], "1b 2d 1c 2d", ""),
        (["ab", "ba"], "1b", "1b"),
        (["ab", "bc", "ca"], "1b 2c", "1c 2b"),
        (["aa"], "", ""),
    ],
)
def test_a_walk_goes_deep_first_and_never_in_a_circle(pairs: list[str], down: str, up: str) -> None:
    graph = graph_of(*pairs)
    assert told(list(walk(graph, "a", "down"))) == down
    assert told(list(walk(graph, "a", "up"))) == up


def test_a_walk_is_as_long_as_a_chain() -> None:
    names = [str(number) for number in range(5000)]
    nodes = [LineageNode(id=name, kind="version", label=name) for name in names]
    edges = [LineageEdge(source=one, target=other, role="supersedes") for one, other in pairwise(names)]
    assert [step.depth for step in walk(LineageGraph(nodes, edges), "0", "down")] == list(range(1, 5000))


def test_graphs_are_joined_without_repeating_and_keep_what_is_known() -> None:
    more = LineageGraph([LineageNode(id="a", kind="version", label="a", facts={"digest": A})], [])
    both = merge_graphs([graph_of("ab", "bc"), more, graph_of("ab")])
    assert [node.id for node in both.nodes] == ["a", "b", "c"]
    assert both.nodes[0].facts == {"digest": A}
    assert [(edge.source, edge.target) for edge in both.edges] == [("a", "b"), ("b", "c")]
