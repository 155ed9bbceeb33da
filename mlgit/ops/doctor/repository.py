"""Checks of the repository: its history, its ledger, its attributes, and what `mlgit validate` says."""

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.doctor.subject import Mend, Said, Subject
from mlgit.ops.kernel import ledger_branch, remote
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.validation import validate

_ATTRIBUTES = ".gitattributes"


def history(subject: Subject) -> Said:
    """The whole history is here."""
    subject.workspace.repository.require_full_history()
    return Said("the whole history is here")


def valid(subject: Subject) -> Said:
    """Every file of the project is sound."""
    at = None if subject.workspace.repository.root is not None else subject.base[0]
    found = validate.run(subject.workspace, at=at)
    said = f"{found.checked:,} records checked in {found.where}"
    errors = [one for one in found.findings if one.severity is Severity.ERROR]
    if not errors:
        return Said(said)
    first = errors[0]
    invalid = Finding(
        "project-invalid",
        f"{len(errors):,} of the project's files or records {'is' if len(errors) == 1 else 'are'} not sound",
        why=f"first: [{first.id}] {first.message}",
        fix="`mlgit validate` shows each of them, with its way out",
        at=first.at,
    )
    return Said(said, [invalid])


def attributes(subject: Subject) -> Said:
    """Git leaves the bytes of records and data as they are, on every machine."""
    tree = subject.workspace.repository.work_tree() if subject.workspace.repository.root else subject.state.tree
    there = (tree.read(_ATTRIBUTES) or b"").decode(errors="replace")
    known = {tuple(line.split()) for line in there.splitlines()}
    shipped = subject.shipped[_ATTRIBUTES].decode()
    lacking = [
        line for line in shipped.splitlines() if line.strip() and line[0] != "#" and tuple(line.split()) not in known
    ]
    if not lacking:
        return Said(f"{_ATTRIBUTES} keeps the bytes of records and data as they are")
    content = "\n".join([*filter(None, [there.rstrip("\n")]), *lacking, ""]).encode()
    missing = Finding(
        "attributes-missing",
        f"{_ATTRIBUTES} lacks {len(lacking)} of the lines that `mlgit init` writes",
        why=f"{'; '.join(' '.join(line.split()) for line in lacking[:3])}; digests are taken over bytes, which Git would change",
        fix="run `mlgit doctor --fix` and commit the file",
        at=Location(_ATTRIBUTES),
        severity=Severity.WARNING,
    )
    mends = [Mend(f"add {len(lacking)} lines to {_ATTRIBUTES}", lambda: subject.workspace.put({_ATTRIBUTES: content}))]
    return Said(
        f"{_ATTRIBUTES} is {'not complete' if there else 'not there'}", [missing], mends if tree.commit is None else []
    )


def decisions(subject: Subject) -> Said:
    """The ledger is there once something was promoted, and says the same here and at the origin."""
    repository = subject.workspace.repository
    shared = remote.is_there(repository)
    if shared:
        ledger_branch.fetch_ledger(repository)
    ours, theirs = repository.resolve(layout.LEDGER), repository.resolve(remote.copy_of(layout.LEDGER))
    if ours is None and theirs is None:
        if not subject.state.promotions():
            return Said("nothing was decided yet, so there is no ledger")
        gone = Finding(
            "ledger-missing",
            "models are promoted, and there is no ledger",
            why="who agreed, and what was applied, cannot be told without the branch mlgit-ledger",
            fix="fetch it from where it is: `git fetch origin mlgit-ledger:mlgit-ledger`",
        )
        return Said("there is no ledger", [gone])
    if not shared:
        return Said("the ledger is here, and nowhere else: there is no remote origin")
    if ours is None or theirs == ours or (theirs is not None and remote.contains(repository, theirs, ours)):
        return Said("the ledger is at origin")
    return _unpushed(repository, ours, theirs)


def _unpushed(repository: Repository, ours: CommitId, theirs: CommitId | None) -> Said:
    """Say that origin lacks entries, with the push that mends it where that takes nothing away."""
    further = theirs is None or remote.contains(repository, ours, theirs)
    push = f"git push origin {layout.LEDGER.removeprefix('refs/heads/')}"
    apart = Finding(
        "ledger-apart",
        f"the ledger here {'is not pushed' if further else 'and that of origin say different things'}",
        why="others do not see what was agreed to, or applied, here",
        fix=f"run `{push}`, or `mlgit doctor --fix`" if further else "`mlgit apply` joins the two, and pushes them",
        severity=Severity.WARNING,
    )
    mend = Mend(push, lambda: repository.push(remote.NAME, [f"{ours}:{layout.LEDGER}"]))
    return Said("the ledger has entries that origin does not have", [apart], [mend] if further else [])
