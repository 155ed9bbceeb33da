"""Start a project: init, drafts of records, explanations."""
