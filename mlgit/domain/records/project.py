"""`mlgit.yaml`: the project and the order of its environments."""

from typing import Annotated, Literal

from mlgit.domain.names import Duration, Line, Name, SettingsPath
from mlgit.domain.records.base import Record, RecordPart, describe


class RuleApprovals(RecordPart, frozen=True, kw_only=True):
    """Approvals that a change of rules requires."""

    min: Annotated[
        Annotated[int, describe("Number.", ge=0)] | None,
        describe("Minimum number of people; by default as many as the strictest policy that the change affects."),
    ] = None
    roles: Annotated[
        dict[Name, Annotated[int, describe("Minimum number of people.", ge=1)]],
        describe("Minimum number of people of each role."),
    ] = {}
    min_age: Annotated[
        Duration, describe("The audit marks what is promoted under rules that changed less than this before.")
    ] = "24h"


class ProjectApprovals(RecordPart, frozen=True, kw_only=True):
    """Approvals that are not those of a promotion, which its policy states."""

    rules: Annotated[RuleApprovals, describe("A rule is changed.")] = RuleApprovals()


class TimestampAuthority(RecordPart, frozen=True, kw_only=True):
    """An authority that confirms when entries of the ledger were written (RFC 3161)."""

    url: Annotated[Line, describe("Address that takes timestamp requests.")]
    certificates: Annotated[
        SettingsPath,
        describe("File in `.mlgit` of the root certificates that are trusted, in PEM; read from the base branch."),
    ] = ".mlgit/timestamp-authority.pem"


class Project(Record, frozen=True, kw_only=True, tag="project"):
    """A repository managed by mlgit: its name, its environments in order, its forge and its DVC remote."""

    written_by = "people"

    name: Annotated[Name, describe("Name of the project.")]
    environments: Annotated[
        list[Name], describe("Environments in the order of promotion, first to last.", min_length=1)
    ]
    base: Annotated[Line, describe("Base branch: its files are the desired state.")] = "main"
    forge: Annotated[
        Literal["none", "github", "gitea"],
        describe("Forge that has the pull requests; none means signed approvals only."),
    ] = "none"
    remote: Annotated[Line, describe("DVC remote for data and models.")] = "storage"
    approvals: Annotated[ProjectApprovals, describe("Approvals that changes beside promotions require.")] = (
        ProjectApprovals()
    )
    timestamps: Annotated[
        TimestampAuthority | None, describe("Authority that timestamps entries of the ledger; none if missing.")
    ] = None
