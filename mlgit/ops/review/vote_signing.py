"""Sign a vote, and append it to the ledger."""

from collections.abc import Mapping
from itertools import count
from urllib.parse import quote

from mlgit.domain import layout
from mlgit.domain.codec import to_json
from mlgit.domain.records import Approval, RuleApproval
from mlgit.ops.kernel import ledger_branch
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.notary import timestamped
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.keys import Keys


def append_vote(
    workspace: Workspace,
    before: Lifecycle,
    folder: str,
    approval: Approval | RuleApproval,
    person: str,
    subject: str,
) -> None:
    """Sign a vote, and append it to the ledger.

    Args:
        workspace: where.
        before: the state whose allowed signers count.
        folder: the folder of the ledger.
        approval: the vote.
        person: the name of the person in the roles file.
        subject: the subject of the commit.

    Raises:
        MlgitError: there is no key, or the base branch does not allow it for the address: such a vote would never count; or the
            policy requires a timestamp, and there is none (see `notary.timestamped`).
    """
    content = to_json(approval)
    signature = workspace.signatures.sign(content)
    Keys(workspace, before).verify_vote(approval, content, signature)
    environment = approval.environment if isinstance(approval, Approval) else None
    token = timestamped(workspace, before, environment, {"vote.json": content}).get(layout.timestamp("vote.json"))
    stem = f"{quote(person, safe='@')}-{approval.verdict}-{approval.decision[7:19]}"

    def new_files(ledger: Ledger) -> Mapping[str, bytes]:
        path = _free_path(ledger, folder, stem)
        files = {path: content, layout.signature(path): signature}
        return files if token is None else {**files, layout.timestamp(path): token}

    ledger_branch.append(workspace, new_files, subject)


def _free_path(ledger: Ledger, folder: str, stem: str) -> str:
    """Return a path that the ledger does not have yet: somebody may approve, reject, and approve the same decision again."""
    files = ledger.files(folder)
    names = (f"{stem}{'' if number == 1 else f'-{number}'}.json" for number in count(1))
    return next(path for name in names if (path := f"{folder}/{name}") not in files)
