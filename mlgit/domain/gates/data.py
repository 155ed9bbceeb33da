"""Does the data keep its contract?"""

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed


class DataContract(Gate, frozen=True, kw_only=True, tag="data-contract"):
    """Every dataset that the candidate was made from keeps its contract."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when there is a dataset, and none breaks a rule of its contract."""
        reports = evidence.datasets()
        if not reports:
            return failed("the record names no data that the candidate was made from")
        broken = [f"{name}: {violation}" for name, report in reports.items() for violation in report.violations]
        rows = {name: report.rows for name, report in reports.items()}
        if broken:
            more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
            return failed(f"{broken[0]}{more}", rows=rows, violations=broken[:20])
        kept = ", ".join(f"{name} ({count:,} rows)" for name, count in rows.items())
        return passed(f"contract kept by {kept}", rows=rows)
