"""What both providers need to say and to read."""

from collections.abc import Callable

from mlgit.errors import MlgitError


def given(**fields: str | None) -> dict[str, str]:
    """Return those that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def state_of(*, closed: bool | None) -> str | None:
    """Return the word for a pull request or an issue that is to be closed, or opened again."""
    return None if closed is None else "closed" if closed else "open"


def cut(text: str, longest: int) -> str:
    """Return a text with as many characters as a forge takes."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def quietly(ask: Callable[[], object]) -> None:
    """Ask for what is decoration, and take no for an answer."""
    try:
        ask()
    except MlgitError:
        return
