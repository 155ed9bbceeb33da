"""Checks of the remote that keeps data and models."""

from mlgit.errors import Finding, Inconclusive, Location, MlgitError, Severity
from mlgit.ops.doctor.subject import Mend, Said, Subject

_READS_AT_LEAST = frozenset({"remote-read-only", "probe-left"})


def settings(subject: Subject) -> Said:
    """The remote is configured, DVC verifies what comes from it, and no credentials are committed."""
    name, machine = subject.project.remote, subject.machine
    found = machine.remote(name)
    findings, mends = [], []
    if not found.verifies:
        findings.append(
            Finding(
                "remote-unverified",
                f'DVC does not verify what comes from remote "{name}"',
                why="`dvc pull` would take a file that was damaged there; mlgit itself verifies in any case",
                fix=f"run `dvc remote modify {name} verify true`, or `mlgit doctor --fix`",
                at=Location(".dvc/config"),
                severity=Severity.WARNING,
            )
        )
        mends.append(Mend(f"dvc remote modify {name} verify true", lambda: machine.verify_remote(name)))
    if found.committed:
        findings.append(
            Finding(
                "credentials-committed",
                f'.dvc/config has credentials of remote "{name}"',
                why=f"{', '.join(found.committed)}; everybody who can read the repository has them, for ever",
                fix=f"make new ones; `dvc remote modify --local {name} ...`, or the environment, is where they belong",
                at=Location(".dvc/config"),
            )
        )
    return Said(f'remote "{name}", {found.kind}', findings, mends)


def reach(subject: Subject) -> Said:
    """The remote takes an object, gives it back, and lets it be removed."""
    name = subject.project.remote
    try:
        subject.machine.probe(name)
    except Inconclusive:
        raise
    except MlgitError as error:
        (found,) = error.findings
        if found.id not in _READS_AT_LEAST:
            raise
        return Said(f'remote "{name}" answers', [found])
    return Said(f'remote "{name}" takes, gives back and removes an object')
