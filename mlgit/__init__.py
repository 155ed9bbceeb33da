"""mlgit: the life of machine-learning models as versioned files in Git."""

__version__ = "0.1.0"
