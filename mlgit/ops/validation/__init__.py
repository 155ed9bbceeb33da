"""Check the files of a project."""
