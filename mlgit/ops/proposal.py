"""A promotion that is proposed, or that was merged: what it rests on, who made it, who agreed, and whether it holds."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from mlgit.domain import layout, rules
from mlgit.domain.approvals import Directory, Signed, Tally, count
from mlgit.domain.codec import digest, sha256
from mlgit.domain.decision import ReadSet, decision, read_set
from mlgit.domain.names import CommitId, Digest, VersionRef, proposed_at, seconds
from mlgit.domain.policy import overall, rule_for
from mlgit.domain.records import Approval, GateReport, Promotion, Retirement, Version
from mlgit.domain.records.policy import Policy
from mlgit.errors import Finding, Location, MlgitError, Unjudged, refused
from mlgit.ops import origin
from mlgit.ops.load import Ledger, Lifecycle
from mlgit.ops.ports import Commit, Workspace

_TWO_CLOCKS = timedelta(minutes=5)  # by how much two people's clocks may differ
BRANCHES = "refs/heads/mlgit/promote/"


class Proposal(msgspec.Struct, frozen=True):
    """A manifest in the commit that brings it, held against the commit that it is brought to.

    `before` is the state that it is judged by: its policy, roles and signers are the rules. `after` is the state with the
    manifest. `commits` are those that a merge would bring, or brought.
    """

    environment: str
    model: str
    before: Lifecycle
    after: Lifecycle
    head: CommitId
    commits: tuple[Commit, ...]

    @property
    def manifest(self) -> Promotion:
        """The proposed manifest."""
        manifest = self.after.promotion(self.environment, self.model)
        assert manifest is not None  # noqa: S101 - a proposal is made from a manifest
        return manifest

    @property
    def version(self) -> Version | None:
        """The version that is to become champion; None where the model leaves the environment."""
        slot = self.manifest.slots.champion
        return None if slot is None else self.after.version(VersionRef(self.model, slot.version))

    @property
    def report(self) -> GateReport | None:
        """The gate report that the manifest names."""
        ref = self.manifest.gates
        return None if ref is None else self.after.find(GateReport, ref.report)

    @property
    def policy(self) -> Policy:
        """The policy that guards the environment, as it is before the change."""
        return self.before.policy(self.before.environment(self.environment).policy)

    def reads(self) -> ReadSet:
        """Return the digest of each thing that the decision rests on; the rules are those before the change."""
        model = self.before.model(self.model)
        return read_set(
            manifest=self.manifest,
            report=self.report,
            version=self.version,
            champion=self.before.champion(self.environment, self.model),
            policy=self.policy,
            environment=self.before.environment(self.environment),
            problem=self.before.problem(model.problem),
            model=model,
            contracts={name: self.before.dataset(name) for name in model.datasets},
        )


class Examination(msgspec.Struct, frozen=True):
    """What was found when a proposal was examined: the decision, who agreed, and all that stands against it."""

    reads: ReadSet
    decision: Digest
    tally: Tally
    problems: list[Finding]

    @property
    def holds(self) -> bool:
        """Whether nothing stands against it."""
        return not self.problems and self.tally.complete


def base_of(workspace: Workspace) -> tuple[str, Lifecycle]:
    """Return the base branch and the state that it wants.

    The branch is the one that the project names at HEAD; where the remote's copy of it is further on the same line, as
    after `git fetch`, that one. A checkout that has neither (a detached one in CI, say) is read at HEAD itself.

    Raises:
        MlgitError: there is no commit yet (`no-commit`), or no project in it (`not-a-project`).
    """
    repository = workspace.repository
    require_commit(workspace)
    name = Lifecycle(repository.tree("HEAD"), workspace.formats.record).project().base
    commit = origin.newest(repository, f"refs/heads/{name}") or "HEAD"
    return name, Lifecycle(repository.tree(commit), workspace.formats.record)


def require_commit(workspace: Workspace) -> CommitId:
    """Return the commit at HEAD.

    Raises:
        MlgitError: there is none yet (`no-commit`).
    """
    head = workspace.repository.resolve("HEAD")
    if head is None:
        raise refused("no-commit", "there is no commit yet", fix="commit the project first: `git add -A && git commit`")
    return head


def state_at(workspace: Workspace, revision: str) -> Lifecycle:
    """Return the state at a commit, a branch, a tag or a date.

    Raises:
        MlgitError: there is no such commit (`revision-unknown`).
    """
    commit = workspace.repository.resolve(revision)
    if commit is None:
        raise refused(
            "revision-unknown",
            f"{revision} names no commit",
            why="it is no branch, tag, commit id, or date since the first commit",
            fix="`git log --oneline` and `git tag` list what there is",
        )
    return Lifecycle(workspace.repository.tree(commit), workspace.formats.record)


def ledger_of(workspace: Workspace, state: Lifecycle | None = None) -> Ledger:
    """Return what was seen to happen, from the ledger branch or the remote's copy of it.

    Args:
        workspace: where.
        state: a state of the past; the ledger is then the one of that time. Today's, if None.
    """
    repository = workspace.repository
    tip = ledger_tip(workspace)
    if tip is not None and state is not None and state.tree.commit is not None:
        tip = repository.last_commit_by(tip, repository.commit_time(state.tree.commit))
    return Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)


def ledger_tip(workspace: Workspace) -> CommitId | None:
    """Return the newest commit of the ledger branch, here or as the remote's copy; None where there is neither."""
    return origin.newest(workspace.repository, layout.LEDGER)


def open_proposals(workspace: Workspace) -> list[tuple[str, str]]:
    """Return environment and model of each promotion branch that the base has not taken in yet, sorted."""
    _, base = base_of(workspace)
    return sorted(key for key, refs in _branches(workspace).items() if _head(workspace, base, key, refs) is not None)


def _branches(workspace: Workspace) -> dict[tuple[str, str], list[str]]:
    """Return the refs of each promotion branch, by environment and model: the branch here, and the remote's copy."""
    found = {}
    for branch, refs in origin.matching(workspace.repository, BRANCHES).items():
        environment, _, model = branch.removeprefix(BRANCHES).partition("/")
        found[environment, model] = refs
    return found


def _head(workspace: Workspace, base: Lifecycle, key: tuple[str, str], refs: Sequence[str]) -> CommitId | None:
    """Return the commit that proposes something; of two, the later promotion. None where all of them are merged."""
    heads = {head for ref in refs if (head := workspace.repository.resolve(ref)) is not None}
    waiting = {}
    for head in heads:
        state = Lifecycle(workspace.repository.tree(head), workspace.formats.record)
        manifest = state.promotion(*key)
        if manifest is not None and not _is_merged(workspace, base, state, layout.promotion(*key)):
            waiting[manifest.promotion] = head
    return waiting[max(waiting)] if waiting else None


def _is_merged(workspace: Workspace, base: Lifecycle, state: Lifecycle, path: str) -> bool:
    """Tell whether the base has what a branch proposes, or had it before it went on."""
    head, onto = state.tree.commit, base.tree.commit
    assert head is not None  # noqa: S101 - a state of a commit
    assert onto is not None  # noqa: S101 - the base is a commit
    return state.tree.read(path) == base.tree.read(path) or origin.contains(workspace.repository, onto, head)


def find(workspace: Workspace, name: str | None) -> Proposal:
    """Return an open proposal, by `environment/model` or promotion id; the only one there is if no name is given.

    Raises:
        MlgitError: there is none of that name, or more than one to choose from.
    """
    proposals = open_proposals(workspace)
    if name is not None:
        chosen = [key for key in proposals if name in {"/".join(key), f"mlgit/promote/{'/'.join(key)}"}]
        chosen = chosen or [key for key in proposals if load(workspace, *key).manifest.promotion == name]
    else:
        chosen = proposals
    if len(chosen) == 1:
        return load(workspace, *chosen[0])
    listed = ", ".join("/".join(key) for key in proposals)
    if not proposals or name is not None:
        raise refused(
            "promotion-unknown",
            "no promotion is open" if name is None else f"no open promotion is called {name}",
            why=f"open are {listed}" if listed else "every promotion branch has been merged, or there is none",
            fix="`mlgit promote MODEL@N --to ENVIRONMENT` proposes one",
        )
    raise refused(
        "promotion-ambiguous",
        f"{len(chosen)} promotions are open",
        why=listed,
        fix="name one of them, as environment/model",
    )


def load(workspace: Workspace, environment: str, model: str) -> Proposal:
    """Return the open proposal of an environment and model, held against the base branch."""
    repository = workspace.repository
    _, base = base_of(workspace)
    key = (environment, model)
    head = _head(workspace, base, key, _branches(workspace)[key])
    onto = base.tree.commit
    assert head is not None  # noqa: S101 - only called for what is open
    assert onto is not None  # noqa: S101 - the base is a commit
    commits = tuple(commit for commit, _ in repository.commits(f"{onto}..{head}", first_parent=False))
    return Proposal(environment, model, base, Lifecycle(repository.tree(head), workspace.formats.record), head, commits)


def examine(workspace: Workspace, proposal: Proposal, *, at: datetime) -> Examination:
    """Examine a proposal as of a moment, by the rules of the state before it. Judges; changes nothing."""
    guards = rules.check_enforced(proposal.before.environment(proposal.environment), proposal.policy, proposal.manifest)
    retired = _check_retired(proposal, at)
    problems = [*guards, *retired, *_check_manifest(proposal), *_check_order(proposal), *_check_report(proposal, at)]
    reads = proposal.reads()
    decided = decision(reads)
    return Examination(reads, decided, tally(workspace, proposal, decided), problems)


def tally(workspace: Workspace, proposal: Proposal, decided: Digest) -> Tally:
    """Count the approvals of a decision, by the rules of the state before it."""
    policy = proposal.policy
    problem = proposal.before.problem(proposal.before.model(proposal.model).problem)
    directory = Directory(proposal.before.roles())
    found = () if policy.evidence == "none" else signed_approvals(workspace, proposal)
    return count(
        found,
        decision=decided,
        rule=rule_for(policy.approvals, proposal.manifest.change),
        risk=problem.risk,
        directory=directory,
        excluded=excluded(proposal, policy, directory),
    )


def excluded(proposal: Proposal, policy: Policy, directory: Directory) -> dict[str, str]:
    """Return the people whose word does not count here, each with the reason."""
    version = proposal.version
    reasons: list[tuple[str, Iterable[str], str]] = [
        ("trainer", [version.trained_by.email] if version else [], "trained the version"),
        ("committers", [commit.committer_email for commit in proposal.commits], "committed to the promotion"),
        ("author", [commit.author_email for commit in proposal.commits], "author of the promotion"),
    ]
    return {directory.person(email): why for rule, emails, why in reasons if rule in policy.exclude for email in emails}


def signed_approvals(workspace: Workspace, proposal: Proposal) -> list[Signed]:
    """Return every approval of a promotion on the ledger, with what its signature proves."""
    signers = proposal.before.tree.read(layout.SIGNERS) or b""
    folder = layout.approvals(proposal.manifest.promotion)
    files = ledger_of(workspace).files(folder)
    appended = _appended(workspace, folder) if files else {}
    found = []
    for path, content in files.items():
        if not path.endswith(".json"):
            continue
        approval = workspace.formats.record(path, content)
        assert isinstance(approval, Approval)  # noqa: S101 - by its path
        signature = files.get(f"{path}.sig", b"")
        try:
            key = workspace.signatures.verify(
                content, signature, signers=signers, principal=approval.by, at=approval.at
            )
            _check_time(approval, appended.get(path))
        except Unjudged:
            raise
        except MlgitError as error:
            found.append(Signed(approval, sha256(content), None, error.findings[0].message))
        else:
            found.append(Signed(approval, sha256(content), key))
    return found


def _appended(workspace: Workspace, folder: str) -> dict[str, datetime]:
    """Return when each file of a folder of the ledger came in, by the commit that brought it."""
    tip = ledger_tip(workspace)
    history = workspace.repository.commits(tip, paths=[folder]) if tip is not None else ()
    return {change.path: commit.at for commit, changes in history for change in changes}


def _check_time(approval: Approval, appended: datetime | None) -> None:
    """The time in an approval is the signer's own word, and a key that expired could sign an earlier one.

    It has to lie between the making of the promotion and the commit that brought it to the ledger.
    """
    proposed = proposed_at(approval.promotion)
    if appended is None or not proposed - _TWO_CLOCKS <= approval.at <= appended + _TWO_CLOCKS:
        raise refused(
            "approval-time",
            "its time is not between the promotion and the ledger's commit",
            why=f"it says {approval.at:%Y-%m-%d %H:%M:%S} UTC; the promotion is of {proposed:%Y-%m-%d %H:%M:%S} UTC",
            fix="approve again, with a clock that is right",
        )


def require(examination: Examination, what: str, *, fix: str = "somebody who may, runs `mlgit approve`") -> None:
    """Refuse unless nothing stands against a proposal.

    Args:
        examination: what was found.
        what: the proposal, for messages.
        fix: the way out where approvals are missing.

    Raises:
        MlgitError: with every problem and everything that is missing, and who can supply it.
    """
    findings = list(examination.problems)
    if not examination.tally.complete:
        findings.append(
            Finding(
                "approvals-missing",
                f"{what} lacks {'; '.join(examination.tally.missing)}",
                why=_counted(examination.tally),
                fix=fix,
            )
        )
    if findings:
        raise MlgitError(*findings)


def _counted(counted: Tally) -> str:
    names = ", ".join(approval.person for approval in counted.counted) or "nobody"
    others = "; ".join(f"{one.person}: {one.reason}" for one in counted.uncounted)
    return f"approved by {names}" + (f"; not counted: {others}" if others else "")


def _check_manifest(proposal: Proposal) -> Sequence[Finding]:
    manifest = proposal.manifest
    before = proposal.before.promotion(proposal.environment, proposal.model)
    at = Location(layout.promotion(proposal.environment, proposal.model))
    found = list(rules.check_replaces(manifest, before))
    slots = [slot for slot in (manifest.slots.champion, manifest.slots.challenger, manifest.slots.shadow) if slot]
    versions = [proposal.after.version(VersionRef(proposal.model, slot.version), at=at) for slot in slots]
    found += rules.check_slots(manifest, {version.version: version.digest for version in versions})
    if manifest.policy.digest != digest(proposal.policy):
        found.append(
            Finding(
                "promotion-stale",
                f"the policy of {proposal.environment} changed since this promotion was judged",
                why=f"policy {proposal.policy.name} on the base branch is not the one that the manifest names",
                fix="run `mlgit promote` again to judge it by today's policy",
                at=at,
            )
        )
    champion = proposal.before.champion(proposal.environment, proposal.model)
    if (manifest.baseline and manifest.baseline.digest) != (champion and champion.digest):
        found.append(
            Finding(
                "promotion-stale",
                f"the champion of {proposal.environment} is not the one that this promotion was compared with",
                fix="run `mlgit promote` again to judge it against today's champion",
                at=at,
            )
        )
    return found


def _check_retired(proposal: Proposal, at: datetime) -> Sequence[Finding]:
    """A version whose life has ended does not come back."""
    version = proposal.version
    path = None if version is None else layout.retirement(version.model, version.version)
    retirement = None if path is None else proposal.before.find(Retirement, path)
    if version is None or retirement is None or retirement.on > at.date():
        return []
    return [
        Finding(
            "version-retired",
            f"{version.model}@{version.version} is retired since {retirement.on}",
            why=f"{retirement.by}: {retirement.reason}",
            fix="promote another version",
            at=Location(path or ""),
        )
    ]


def _check_order(proposal: Proposal) -> Sequence[Finding]:
    """A version runs in the environments that come first before it runs here."""
    version = proposal.version
    if version is None or proposal.manifest.change != "promote":
        return []
    return list(check_order(proposal.before, proposal.environment, version))


def check_order(state: Lifecycle, environment: str, version: Version) -> Iterable[Finding]:
    """Yield a finding for each environment that a version should have become champion of first."""
    for earlier in state.environment(environment).after:
        champion = state.champion(earlier, version.model)
        if champion is None or champion.digest != version.digest:
            ref = VersionRef(version.model, version.version)
            now = "nothing" if champion is None else f"{version.model}@{champion.version}"
            yield Finding(
                "environment-skipped",
                f"{ref} is to run in {earlier} before {environment}",
                why=f"{earlier} runs {now}; {layout.environment(environment)} has after: [{earlier}]",
                fix=f"run `mlgit promote {ref} --to {earlier}` first",
            )


def _check_report(proposal: Proposal, at: datetime) -> Sequence[Finding]:
    """The gates of today's policy passed, on this version, not too long ago, in the report that the manifest names."""
    manifest, version, report = proposal.manifest, proposal.version, proposal.report
    if version is None:
        return []
    where = Location(layout.promotion(proposal.environment, proposal.model), path="gates")
    again = "run `mlgit promote` again: it judges the version and writes the report"
    if report is None or manifest.gates is None:
        return [Finding("gates-missing", "the promotion rests on no gate report", fix=again, at=where)]
    found = []
    if digest(report) != manifest.gates.digest:
        found.append(
            Finding(
                "gates-differ",
                "the gate report is not the one that the manifest names",
                why="its digest differs",
                fix=again,
                at=where,
            )
        )
    if (report.promotion, report.candidate.digest, report.policy) != (
        manifest.promotion,
        version.digest,
        manifest.policy,
    ):
        found.append(
            Finding(
                "gates-differ",
                "the gate report is about something else",
                why="it names another promotion, version or policy",
                fix=again,
                at=where,
            )
        )
    asked = [gate.id for gate in proposal.policy.gates]
    answered = [verdict.gate for verdict in report.results]
    if asked != answered or overall(report.results) != "pass" or report.outcome != "pass":
        bad = [
            f"{verdict.gate}: {verdict.outcome}"
            for verdict in report.results
            if verdict.outcome in {"fail", "error", "wait"}
        ]
        found.append(
            Finding(
                "gates-failed",
                f"the gates of {proposal.environment} have not all passed",
                why="; ".join(bad) or f"asked were {', '.join(asked)}, answered {', '.join(answered)}",
                fix="see `mlgit gate` for each gate's reason",
                at=where,
            )
        )
    if report.at > at + _TWO_CLOCKS:
        when = f"it says {report.at:%Y-%m-%d %H:%M} UTC"
        found.append(Finding("gates-future", "the gate report is from the future", why=when, fix=again, at=where))
    limit = proposal.policy.max_gate_age
    if at - report.at > timedelta(seconds=seconds(limit)):
        found.append(
            Finding(
                "gates-old",
                f"the gate report is older than {limit}",
                why=f"it is from {report.at:%Y-%m-%d %H:%M} UTC",
                fix=again,
                at=where,
            )
        )
    return found
