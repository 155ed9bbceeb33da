"""What a decision depends on, and the digest over all of it, which people approve."""

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
"""The digest of each record that a decision depends on, by name; None for a record that does not exist."""


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
    """Return the digest of each record that a decision depends on; None for a record that does not exist.

    The decision is stale exactly if one of them differs on the base branch; a commit that changes none of them leaves it valid.
    The digest of a version is computed, not taken from its record, so that a record that was changed after the decision is a
    different version. It covers the card, which is also listed by itself.
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
    """Return the digest over everything that a decision depends on."""
    return digest_of(reads)


def changed(then: ReadSet, now: ReadSet) -> list[str]:
    """Return the names of the records that differ between two read sets, sorted."""
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
