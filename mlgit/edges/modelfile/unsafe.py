"""The refusal of a model file that is recognized, and still not safe to hand to the library of its format."""

from mlgit.errors import Location, MlgitError, refused


def unsafe(why: str, at: Location) -> MlgitError:
    """Return the error for a file that refers to other files, or states other sizes than it has."""
    return refused(
        "model-file-unsafe",
        "the model file is not safe to load",
        why=why,
        fix="save the model again with its library, into one file; if you did not make the file, do not open it",
        at=at,
    )
