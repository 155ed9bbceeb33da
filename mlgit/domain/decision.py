"""What a decision rests on, and its one digest: the thing that people approve."""

from collections.abc import Mapping

from mlgit.domain.codec import digest, digest_of, version_digest
from mlgit.domain.names import Digest
from mlgit.domain.records.dataset import Dataset
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.gatereport import GateReport
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version

ReadSet = Mapping[str, Digest | None]


def read_set(
    *,
    manifest: Promotion,
    report: GateReport | None,
    version: Version | None,
    champion: Version | None,
    policy: Policy,
    environment: Environment,
    problem: Problem,
    model: Model,
    contracts: Mapping[str, Dataset],
) -> ReadSet:
    """Return the digest of each thing that a decision rests on; None for what there is none of.

    The decision is stale exactly when one of them differs on the base branch; a commit that changes none of them never
    stales it. The card is the version's, and so covered by a digest of its own. A version's digest is computed, not taken
    from its record: a record that was changed after the decision is another version.
    """
    return {
        "manifest": digest(manifest),
        "report": None if report is None else digest(report),
        "version": None if version is None else version_digest(version),
        "card": None if version is None else version.card,
        "champion": None if champion is None else version_digest(champion),
        "policy": digest(policy),
        "environment": digest(environment),
        "problem": digest(problem),
        "model": digest(model),
        **{f"contract-{name}": digest(contract) for name, contract in sorted(contracts.items())},
    }


def decision(reads: ReadSet) -> Digest:
    """Return the digest that stands for the whole decision."""
    return digest_of(reads)


def changed(then: ReadSet, now: ReadSet) -> list[str]:
    """Return the names of the things that differ between two read sets, sorted."""
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
