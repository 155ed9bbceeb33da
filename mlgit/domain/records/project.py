"""`mlgit.yaml`: the project and the order of its environments."""

from typing import Annotated, Literal

from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import Record, doc


class Project(Record, frozen=True, kw_only=True, tag="project"):
    """A repository under mlgit: its name, its environments in order, where its pull requests and its data live."""

    written_by = "people"

    name: Annotated[Name, doc("Name of the project.")]
    environments: Annotated[
        list[Name], doc("Environments, first to last; a version climbs them in this order.", min_length=1)
    ]
    base: Annotated[Line, doc("The branch whose files are the desired state.")] = "main"
    forge: Annotated[
        Literal["none", "github", "gitea"], doc("Who keeps pull requests; none means signed approvals.")
    ] = "none"
    remote: Annotated[Line, doc("The DVC remote that holds data and models.")] = "storage"
