"""Start a project: create it, draft records, and explain findings, gates and records."""
