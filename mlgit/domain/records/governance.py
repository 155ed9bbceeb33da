"""Decisions of people beside promotions (holds, overrides, standing approvals, retirements), and their roles."""

import datetime as dt
from typing import Annotated, Literal

from mlgit.domain.names import Digest, Line, Name, PromotionId, Text
from mlgit.domain.records.base import Record, RecordPart, Timestamp, describe
from mlgit.domain.records.gatereport import GateId


class Hold(Record, frozen=True, kw_only=True, tag="hold"):
    """A stop on changes, or on one version, until it is lifted.

    A hold on a version keeps that version out, whatever kind of change proposes it. One on a model, an environment or the
    project is a freeze: it stops every change except rollbacks.
    """

    written_by = "people"
    written_with = "mlgit hold add"

    scope: Annotated[Literal["project", "environment", "model", "version"], describe("What is on hold.")]
    environment: Annotated[Name | None, describe("Name of the environment; all if missing.")] = None
    model: Annotated[Name | None, describe("Name of the model; all if missing.")] = None
    version: Annotated[
        Annotated[int, describe("Number.", ge=1)] | None, describe("Number of the version that is on hold.")
    ] = None
    digest: Annotated[Digest | None, describe("Digest of that version's record.")] = None
    reason: Annotated[Text, describe("Reason for the hold.")]
    by: Annotated[Line, describe("Person who decided it.")]
    until: Annotated[Timestamp | None, describe("When it expires; never if missing.")] = None


class PostIncidentReview(RecordPart, frozen=True, kw_only=True):
    """The review after an override."""

    by: Annotated[Line, describe("Reviewer.")]
    date: Annotated[dt.date, describe("Date of the review.")]
    outcome: Annotated[Text, describe("What was found, and which actions follow.", min_length=1)]


class Override(Record, frozen=True, kw_only=True, tag="override"):
    """A signed exception that waives gates for one version, limited in time.

    It is in force once it is on the base branch and everybody in `people` has signed it (`mlgit override approve`). The
    signatures cover everything except `reviewed`.
    """

    written_by = "people"
    written_with = "mlgit override add"

    id: Annotated[PromotionId, describe("Its id: a ULID, named in the signatures of its people.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    version: Annotated[int, describe("Number of the version that it is for.", ge=1)]
    digest: Annotated[Digest, describe("Digest of that version's record.")]
    waives: Annotated[list[GateId], describe("The gates that are waived.", min_length=1)]
    incident: Annotated[Line, describe("The incident that requires it.")]
    people: Annotated[
        list[Name], describe("Its approvers, by their names in `.mlgit/roles.yaml`; at least two.", min_length=2)
    ]
    until: Annotated[Timestamp, describe("When it expires.")]
    review_by: Annotated[dt.date, describe("Last day for the post-incident review.")]
    reviewed: Annotated[PostIncidentReview | None, describe("The post-incident review; missing until then.")] = None


class StandingApproval(Record, frozen=True, kw_only=True, tag="standing-approval"):
    """A signed exception that approves promotions of one model to one environment in advance, limited in time.

    It is in force once it is on the base branch and everybody in `people` has signed it (`mlgit standing-approval approve`). It
    applies only to plain promotions, where the environment has `auto_promote: true` and every gate passed.
    """

    written_by = "people"
    written_with = "mlgit standing-approval add"

    id: Annotated[PromotionId, describe("Its id: a ULID, named in the signatures of its people.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    people: Annotated[
        list[Name],
        describe(
            "Its approvers, by their names in `.mlgit/roles.yaml`; number and roles as the policy requires.",
            min_length=1,
        ),
    ]
    until: Annotated[Timestamp, describe("When it expires; at most a year after it was created.")]
    max_promotions: Annotated[
        Annotated[int, describe("Number.", ge=1)] | None,
        describe("Maximum number of promotions that use it; no limit if missing."),
    ] = None
    reason: Annotated[Text, describe("Why single approvals are not necessary.")]


class Retirement(Record, frozen=True, kw_only=True, tag="retirement"):
    """The end of a version's life; its record is kept forever."""

    written_by = "people"

    model: Annotated[Name, describe("Name of the model.")]
    version: Annotated[int, describe("Number of the version.", ge=1)]
    digest: Annotated[Digest, describe("Digest of the version's record.")]
    reason: Annotated[Text, describe("Reason for the retirement.")]
    by: Annotated[Line, describe("Person who decided it.")]
    since: Annotated[dt.date, describe("First day on which the version is retired.")]


class RoleHolder(RecordPart, frozen=True, kw_only=True):
    """A person and their roles."""

    emails: Annotated[
        list[Line], describe("E-mail addresses in commits, and principals of signing keys.", min_length=1)
    ]
    roles: Annotated[list[Name], describe("Roles in which the person may approve.")] = []
    logins: Annotated[list[Line], describe("Logins at the forge, in any case; their reviews are this person's.")] = []
    bot: Annotated[bool, describe("Whether it is a program; programs never approve.")] = False


class Roles(Record, frozen=True, kw_only=True, tag="roles"):
    """The people of a project. Each person is one entry, with any number of addresses and keys."""

    written_by = "people"

    people: Annotated[dict[Name, RoleHolder], describe("People, by a short name.")]
