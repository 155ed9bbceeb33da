"""Read-only questions: status, log, why, lineage, bisect, diff, show."""
