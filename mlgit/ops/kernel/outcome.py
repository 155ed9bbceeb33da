"""The result of an operation, the same for people and for programs."""

import msgspec

from mlgit.errors import Exit


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """The result of a command: text is rendered from it, and `--json` prints it. `tag` is its type and version."""

    @property
    def exit(self) -> Exit:
        """The exit code: yes, no, or inconclusive."""
        return Exit.YES
