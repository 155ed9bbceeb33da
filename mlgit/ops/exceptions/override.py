"""Overrides: signed exceptions that waive gates for one version and a limited time."""

from datetime import date, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.merge_rules.overrides import is_review_due
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.records import Override
from mlgit.domain.signed_exceptions import SignatureTimes
from mlgit.errors import refused
from mlgit.ops.exceptions import signed
from mlgit.ops.exceptions.signed import SignedExceptionDraft, SignedExceptionStatus
from mlgit.ops.kernel import times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, base_of
from mlgit.ops.promotion import pull_request


def add(
    workspace: Workspace,
    environment: str,
    ref: VersionRef,
    *,
    waives: list[str],
    incident: str,
    others: list[str],
    until: datetime | timedelta,
    review_by: date,
    render_body: pull_request.BodyRenderer | None = None,
    dry_run: bool = False,
) -> SignedExceptionDraft:
    """Draft an override on a branch of its own; if the same was drafted before, propose that one again.

    Args:
        workspace: where.
        environment: where the version is to run.
        ref: the version.
        waives: ids of the gates to waive.
        incident: what makes it necessary.
        others: who has to sign it beside the current user, by their names in the roles file.
        until: when it expires, or in how long.
        review_by: the day by which it has to be reviewed afterwards.
        render_body: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: it breaks a rule: nobody may waive the gate (`waiver-not-allowed`), fewer than two people sign
            (`override-people-invalid`), and others. Nothing was changed.
        UsageError: `until` is in the past (`time-in-past`).
    """
    base_name, base = base_of(workspace)
    now = workspace.clock.now()
    base.policy(base.environment(environment).policy)
    version = base.version(ref)
    record = Override(
        schema=1,
        id=new_promotion_id(now),
        environment=environment,
        model=ref.model,
        version=ref.number,
        digest=version.digest,
        waives=list(dict.fromkeys(waives)),
        incident=incident,
        people=_signers(base, workspace.repository.identity()[1], others),
        until=times.future_time(until, now),
        review_by=review_by,
    )
    return signed.draft(workspace, KIND, base_name, base, record, until=until, render_body=render_body, dry_run=dry_run)


def _signers(base: Lifecycle, email: str, others: list[str]) -> list[str]:
    """Return who has to sign: the current user and the others. The rules for the file check that each of them is a person."""
    directory = People(base.roles())
    me = directory.person(email)
    people = list(dict.fromkeys([me, *others]))
    why = ""
    if me not in directory.people():
        why = f"{layout.ROLES} does not list {me} as a person"
    elif len(people) == 1:
        why = f"only {me} would sign it"
    if why:
        raise refused(
            "override-people-invalid",
            "an override is signed by at least two people",
            why=why,
            fix=f"name another person of {layout.ROLES} with --approver; you have to be listed there too",
        )
    return people


def _details(
    _workspace: Workspace, snapshot: Snapshot, status: SignedExceptionStatus, _signatures: SignatureTimes
) -> SignedExceptionStatus:
    assert isinstance(status.record, Override)  # noqa: S101 - of this kind
    return replace(status, review_due=is_review_due(status.record, snapshot.at))


def candidate(override: Override) -> str:
    """Return the version that an override is for, as `churn@11`."""
    return f"{override.model}@{override.version}"


KIND: Final = signed.ExceptionKind(
    name="override",
    noun="override",
    record=Override,
    path=layout.override,
    branch=layout.override_branch,
    load_all=Lifecycle.overrides,
    target=candidate,
    subject=lambda override: f"Override gates of {candidate(override)} in {override.environment}",
    effect=lambda override: f"{', '.join(override.waives)} waived for {candidate(override)} in {override.environment}",
    reason=lambda override: override.incident,
    details=_details,
    not_a_signer=lambda message, why: refused(
        "override-people-invalid", message, why=why, fix="one of them runs `mlgit override approve`"
    ),
    unknown=lambda message, why: refused(
        "override-unknown",
        message,
        why=why,
        fix="`mlgit override list` shows those of the base branch; `mlgit override add` drafts one",
    ),
)
