"""What an operation answers: a record with a versioned type of its own, the same for people and for programs."""

import msgspec

from mlgit.errors import Exit


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """The answer of a command. `tag` names its type and version, for example `mlgit/status.v1`."""

    @property
    def exit(self) -> Exit:
        """Whether the answer is yes, no, or could not be judged."""
        return Exit.YES
