"""Measures mlgit at scale: a generator of repositories, and paired measurements of whole commands."""
