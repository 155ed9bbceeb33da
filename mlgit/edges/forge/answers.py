"""An answer over HTTP: what it says in words, whether it is a limit, and how long it asks to wait.

As in GitHub's documentation ("Rate limits for the REST API"): a 429, or a 403 that speaks of a limit, is over after
`Retry-After`, or when `x-ratelimit-reset` comes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """Status, headers by their names in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_limit(self) -> bool:
        """Whether it says that there were too many requests; nothing was done then."""
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        if self.status != HTTPStatus.FORBIDDEN:
            return False
        return self.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in self.words.lower()

    @property
    def words(self) -> str:
        """What a refusal says; its status if it says nothing."""
        try:
            fault = msgspec.json.decode(self.content, type=_Fault)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return f"status {self.status}"
        found = [one if isinstance(one, dict) else {"message": one} for one in fault.errors]
        more = [str(one.get("message") or " ".join(map(str, one.values()))) for one in found]
        return ": ".join(filter(None, [fault.message, "; ".join(more)])) or f"status {self.status}"

    @property
    def wait(self) -> float | None:
        """Seconds that it asks to wait; None where it does not say."""
        now = datetime.now(UTC).timestamp()
        told = self.headers.get("retry-after", "")
        if told.isdecimal():
            return float(told[:9])
        if told:
            try:
                return max(0.0, parsedate_to_datetime(told).timestamp() - now)
            except ValueError:
                return None
        reset = self.headers.get("x-ratelimit-reset", "")
        if reset.isdecimal() and self.headers.get("x-ratelimit-remaining") == "0":
            return max(0.0, float(reset[:12]) - now)
        return None


class _Fault(msgspec.Struct):
    message: str = ""
    errors: list[Any] = []
