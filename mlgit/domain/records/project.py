"""`mlgit.yaml`: the project and the order of its environments."""

from typing import Annotated, Literal

from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import Record, describe


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
