"""Validate the files of a project."""
