"""Read-only queries: status, log, why, lineage, bisect, diff, show."""
