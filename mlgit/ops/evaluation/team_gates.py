"""Run a team's own gate command with the evidence as one document, and private copies of its tables."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import msgspec

from mlgit.domain.formatting import utc_timestamp
from mlgit.domain.gates.team import EvidenceDocument, EvidenceFiles
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.records.version import StoredFile
from mlgit.domain.results import CommandAnswer
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.data import VersionStore
from mlgit.ops.kernel.ports.workspace import Workspace


class CommandInputs(msgspec.Struct, frozen=True):
    """Records for a gate command, and the time of the evaluation."""

    problem: Problem
    model: Model
    candidate: Version
    champion: Version | None
    at: datetime


def run(
    workspace: Workspace,
    state: Lifecycle,
    store: VersionStore,
    inputs: CommandInputs,
    command: Sequence[str],
    settings: Mapping[str, Any],
    *,
    seconds: int,
) -> CommandAnswer:
    """Run a command in a checkout of the state's commit, which is never the proposed one.

    Raises:
        MlgitError: a table is unavailable, or not what was recorded.
    """
    assert state.tree.commit is not None  # noqa: S101 - the rules are always those of a commit
    with ExitStack() as open_files:

        def copy(stored: StoredFile | None) -> str | None:
            return None if stored is None else str(open_files.enter_context(store.fetch(stored)))

        candidate, champion = inputs.candidate, inputs.champion
        document = EvidenceDocument(
            at=utc_timestamp(inputs.at),
            problem=inputs.problem,
            model=inputs.model,
            candidate=candidate,
            champion=champion,
            settings=dict(settings),
            files=EvidenceFiles(
                predictions=str(copy(candidate.evaluation.predictions)),
                features=copy(candidate.evaluation.features),
                champion_predictions=copy(None if champion is None else champion.evaluation.predictions),
            ),
        )
        return workspace.team_gates.run(state.tree, command, msgspec.json.encode(document), seconds=seconds)
