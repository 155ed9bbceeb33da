"""Does the data satisfy its contract?"""

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, first_and_count, passed


class DataContract(Gate, frozen=True, kw_only=True, tag="data-contract"):
    """Every dataset that the candidate was made from satisfies its contract."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if there is a dataset, and none violates its contract."""
        checks = evidence.check_datasets()
        if not checks:
            return failed("the record names no data that the candidate was made from")
        violations = [f"{name}: {violation}" for name, check in checks.items() for violation in check.violations]
        rows = {name: check.rows for name, check in checks.items()}
        if violations:
            return failed(first_and_count(violations), rows=rows, violations=violations[:20])
        satisfied = ", ".join(f"{name} ({count:,} rows)" for name, count in rows.items())
        return passed(f"contract satisfied by {satisfied}", rows=rows)
