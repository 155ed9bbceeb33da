"""Measure `mlgit audit`: `python -m benchmarks.audit --promotions 300`.

Generates a repository in which every promotion was proposed on a branch, approved with a real signature, merged and applied.
The audit is compared with the minimum of any audit: `git log --raw` of both branches, with each blob read and parsed; and, for
information, the same with only records parsed.
"""

import argparse
import base64
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha512
from itertools import islice
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks import content, history, measure
from benchmarks.content import Records
from benchmarks.generate import MAIN
from benchmarks.measure import Command, Cost
from benchmarks.stream import FastImport
from mlgit.domain import layout
from mlgit.domain.codec import sha256, to_json
from mlgit.domain.ledger_evidence import APPLIER
from mlgit.domain.namespaces import APPROVALS, LEDGER
from mlgit.domain.records import Approval, Deployment, Roles, Version
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.ledger import CountedApproval
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules
from mlgit.edges.ssh.keys import PublicKey
from mlgit.edges.ssh.signers import render_line

_MLGIT = (sys.executable, "-c", "from mlgit.cli.main import main; main()")
_REVIEWER = "grace@example.org"
_PROPOSER = "Ada Example <ada@example.org>"
_MINUTE = timedelta(minutes=1)
_PER_COMMIT = 50
_NEW = 10  # promotions after the checkpoint
_FLOOR, _RECORDS = "log, read and parse all", "log, read all, parse records"
_GOAL = 1.5
_GOAL_NEW = 1.0  # seconds on the clock


@dataclass
class _Progress:
    """The state of the generated history: the newest promotion and deployment of each environment and model."""

    records: Records
    signer: "_Signer"
    step: int = 0
    promoted: dict[tuple[str, str], history.GeneratedPromotion] = field(default_factory=dict)
    deployed: dict[tuple[str, str], Deployment] = field(default_factory=dict)


class _Signer:
    """A fixed key, and its signatures in OpenSSH's format (PROTOCOL.sshsig)."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(b"a key of benchmarks, never used.")
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = PublicKey("ssh-ed25519", _wire(b"ssh-ed25519", raw))

    def sign(self, text: bytes, purpose: str = APPROVALS) -> bytes:
        namespace = purpose.encode()
        signed = b"SSHSIG" + _wire(namespace, b"", b"sha512", sha512(text).digest())
        signature = _wire(b"ssh-ed25519", self._key.sign(signed))
        blob = b"SSHSIG" + (1).to_bytes(4) + _wire(self.public.blob, namespace, b"", b"sha512", signature)
        body = base64.encodebytes(blob).decode()
        return f"-----BEGIN SSH SIGNATURE-----\n{body}-----END SSH SIGNATURE-----\n".encode()


def _wire(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4) + field for field in fields)


def generate(folder: Path, promotions: int, models: int) -> None:
    """Generate a repository with promotions, half of them to each environment, and a few more on `...-later` branches."""
    signer = _Signer()
    records = _with_signed_approvals(content.make_records(models))
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    with FastImport(folder) as stream:
        files = content.foundation(records)
        files[layout.SIGNERS] = (render_line(_REVIEWER, str(signer.public)) + "\n").encode()
        stream.commit(MAIN, files, "Begin the project", content.START)
        progress = _Progress(records, signer)
        versions = _register(stream, progress, (promotions + _NEW + 1) // 2)
        steps = ((version, environment) for version in versions for environment in content.ENVIRONMENTS)
        for version, environment in islice(steps, promotions):
            _promote(stream, progress, version, environment)
        tips = dict(stream.tips)
        for version, environment in islice(steps, _NEW):
            _promote(stream, progress, version, environment)
        later = dict(stream.tips)
    for branch in (MAIN, layout.LEDGER):
        _git(folder, "update-ref", f"{branch}-later", later[branch])
        _git(folder, "update-ref", branch, tips[branch])
    for branch in later.keys() - {MAIN, layout.LEDGER}:  # as `mlgit merge` does
        _git(folder, "update-ref", "-d", branch)
    _git(folder, "repack", "-adfq")


def add_later_promotions(folder: Path) -> None:
    """Move the branches to the later promotions."""
    for branch in (MAIN, layout.LEDGER):
        _git(folder, "update-ref", branch, f"{branch}-later")


def _with_signed_approvals(records: Records) -> Records:
    """Return the records with policies that require a signed approval by another person."""
    roles = Roles(
        schema=1,
        people={
            **records.roles.people,
            "grace": RoleHolder(emails=[_REVIEWER], roles=["ml-reviewer", APPLIER]),
        },
    )
    rule = ApprovalRules(promote=ApprovalRule(min=1, roles={"ml-reviewer": 1}))
    policies = {
        name: msgspec.structs.replace(policy, approvals=rule, evidence="signed")
        for name, policy in records.policies.items()
    }
    return msgspec.structs.replace(records, roles=roles, policies=policies)


def _register(stream: FastImport, progress: _Progress, count: int) -> list[Version]:
    models = list(progress.records.models.values())
    versions: list[Version] = []
    for start in range(0, count, _PER_COMMIT):
        files: dict[str, bytes] = {}
        for index in range(start, min(count, start + _PER_COMMIT)):
            model, number = models[index % len(models)], index // len(models) + 1
            at = content.time_of_step(progress.step)
            version, version_files = content.version(progress.records, model, number, commit=stream.tips[MAIN], at=at)
            versions.append(version)
            files |= version_files
        progress.step += 1
        stream.commit(MAIN, files, f"Register {len(files)} files", content.time_of_step(progress.step))
    return versions


def _promote(stream: FastImport, progress: _Progress, version: Version, environment: str) -> None:
    """Propose, approve, merge and apply a promotion, one minute after another."""
    progress.step += 1
    at, key = content.time_of_step(progress.step), (environment, version.model)
    before = progress.promoted.get(key)
    promotion = history.promote(progress.records, version, environment, before, progress.step)
    branch = f"refs/heads/{layout.promotion_branch(*key)}"
    name = f"{version.model}@{version.version} to {environment}"
    stream.commit(branch, promotion.files, f"Promote {name}", at, onto=MAIN, by=_PROPOSER)
    approval, files = _approve(progress, promotion, before, at + _MINUTE)
    stream.commit(layout.LEDGER, files, f"Approve {name}", at + _MINUTE)
    merged = stream.commit(MAIN, promotion.files, f"Merge {name}", at + 2 * _MINUTE, merges=branch)
    reads = history.decision_record_of(progress.records, promotion, before, commit=merged, step=progress.step)
    record = msgspec.structs.replace(reads, approvals=[approval], at=at + 3 * _MINUTE)
    entry = history.deployment_of(promotion, progress.deployed.get(key), commit=merged, step=progress.step)
    entry = msgspec.structs.replace(entry, at=at + 3 * _MINUTE)
    files = history.ledger_files(record, entry)
    files |= {layout.signature(path): progress.signer.sign(text, LEDGER) for path, text in files.items()}
    stream.commit(layout.LEDGER, files, f"Deploy {name}", at + 3 * _MINUTE)
    progress.promoted[key], progress.deployed[key] = promotion, entry


def _approve(
    progress: _Progress, promotion: history.GeneratedPromotion, before: history.GeneratedPromotion | None, at: datetime
) -> tuple[CountedApproval, dict[str, bytes]]:
    records, manifest = progress.records, promotion.manifest
    decided = history.decision_record_of(records, promotion, before, commit="0" * 40, step=progress.step).decision
    signed_content = to_json(
        Approval(
            schema=1,
            promotion=manifest.promotion,
            decision=decided,
            environment=manifest.environment,
            model=manifest.model,
            verdict="approve",
            by=_REVIEWER,
            at=at,
        )
    )
    path = f"{layout.approvals(manifest.promotion)}/grace-approve-{decided[7:19]}.json"
    counted = CountedApproval(
        person="grace", roles=["ml-reviewer"], key=progress.signer.public.fingerprint, approval=sha256(signed_content)
    )
    return counted, {path: signed_content, f"{path}.sig": progress.signer.sign(signed_content)}


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTHON"))}
    root = str(Path(__file__).parents[1])
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": root}


def _floor(folder: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "benchmarks.floor", str(folder))


def _report(name: str, cost: Cost, note: str = "") -> None:
    print(f"| {name} | {cost.cpu:.2f} s | {cost.wall:.2f} s | {cost.memory:.0f} MiB | {note} |")


def main() -> int:
    """Read the arguments, measure, and print; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--promotions", type=int, default=300)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    env = _environment()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "repository")
        # In a process of its own: a child process starts with the memory of this one, which would be counted.
        script = (
            "import sys; from pathlib import Path; from benchmarks.audit import generate;"
            "generate(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))"
        )
        sizes = (str(options.promotions), str(options.models))
        subprocess.run([sys.executable, "-c", script, str(folder), *sizes], env=env, check=True)
        commands = {
            _FLOOR: Command((_floor(folder),), folder),
            _RECORDS: Command(((*_floor(folder), "--records"),), folder),
            "mlgit audit --no-cache": Command(((*_MLGIT, "audit", "--no-cache"),), folder),
        }
        costs = measure.in_turns(commands, options.rounds, env)
        add_later_promotions(folder)
        after = measure.run(Command(((*_MLGIT, "audit"),), folder), env)
    ratio = measure.ratio(costs["mlgit audit --no-cache"], costs[_FLOOR])
    records_ratio = measure.ratio(costs["mlgit audit --no-cache"], costs[_RECORDS])
    print(f"{options.promotions:,} promotions of {options.models:,} models, median of {options.rounds} rounds\n")
    print("| command | processor time | clock | memory | |\n|---|---|---|---|---|")
    _report(_FLOOR, measure.median(costs[_FLOOR]))
    _report(_RECORDS, measure.median(costs[_RECORDS]))
    note = f"{ratio:.2f} x of all, goal {_GOAL} x; {records_ratio:.2f} x of records"
    _report("mlgit audit --no-cache", measure.median(costs["mlgit audit --no-cache"]), note)
    _report(f"mlgit audit, {_NEW} promotions later", after, f"goal {_GOAL_NEW:g} s on the clock")
    return int(ratio > _GOAL or after.wall > _GOAL_NEW)


if __name__ == "__main__":
    sys.exit(main())
