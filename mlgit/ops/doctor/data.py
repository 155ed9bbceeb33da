"""Checks of the remote that keeps data and models."""

from typing import Final

import msgspec

from mlgit.errors import Finding, Inconclusive, Location, MlgitError, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext, Fix

# With these the remote can be read from, which is enough for whoever only verifies.
_READABLE: Final = frozenset({"dvc-remote-read-only", "dvc-remote-delete-denied"})


def settings(context: DoctorContext) -> CheckResult:
    """The remote is configured, DVC verifies downloads from it, and no credentials are committed."""
    name, machine = context.project.remote, context.machine
    remote = machine.remote(name)
    findings, fixes = [], []
    if not remote.verifies:
        findings.append(
            Finding(
                "dvc-remote-verify-disabled",
                f'DVC does not verify downloads from remote "{name}"',
                why="`dvc pull` would accept a file that was damaged there; mlgit itself verifies in any case",
                fix=f"run `dvc remote modify {name} verify true`, or `mlgit doctor --fix`",
                at=Location(".dvc/config"),
                severity=Severity.WARNING,
            )
        )
        fixes.append(Fix(f"dvc remote modify {name} verify true", lambda: machine.verify_remote(name)))
    if remote.committed:
        findings.append(
            Finding(
                "credentials-committed",
                f'.dvc/config contains credentials of remote "{name}"',
                why=f"{', '.join(remote.committed)}; everybody who can read the repository has them, in its history too",
                fix=f"replace them; put the new ones into `dvc remote modify --local {name} ...`, or the environment",
                at=Location(".dvc/config"),
            )
        )
    return CheckResult(f'remote "{name}", {remote.kind}', findings, fixes)


def probe(context: DoctorContext) -> CheckResult:
    """A test object can be written to the remote, read back and removed."""
    name = context.project.remote
    try:
        context.machine.probe(name)
    except Inconclusive:
        raise
    except MlgitError as error:
        (finding,) = error.findings
        if finding.id == "dvc-remote-folder-missing" and context.machine.remote(name).kind == "folder":
            # A warning: whoever only reads Git needs no remote, and `mlgit register` refuses to make the folder.
            return CheckResult(finding.message, [msgspec.structs.replace(finding, severity=Severity.WARNING)])
        if finding.id not in _READABLE:
            raise
        return CheckResult(f'remote "{name}" answers', [finding])
    return CheckResult(f'a test object was written to remote "{name}", read back and removed')
