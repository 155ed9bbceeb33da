"""An HTTP response of a forge: its error message, whether it is a rate limit, and how long it asks to wait.

As in GitHub's documentation ("Rate limits for the REST API"): a 429, or a 403 that speaks of a limit, is over after
`Retry-After`, or when `x-ratelimit-reset` comes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec

# Longer numbers in these headers are nonsense, and would not fit into a timestamp; cut, they are still longer than any wait.
_MAX_SECONDS_DIGITS: Final = 9
_MAX_TIMESTAMP_DIGITS: Final = 12


class HttpResponse(msgspec.Struct, frozen=True):
    """Status, headers by their names in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_rate_limited(self) -> bool:
        """Whether there were too many requests; then the request was not carried out."""
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        if self.status != HTTPStatus.FORBIDDEN:
            return False
        return self.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in self.error_message.lower()

    @property
    def error_message(self) -> str:
        """The message of a refusal, with those of its single errors; the status where there is no message."""
        try:
            body = msgspec.json.decode(self.content, type=_ErrorBody)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return f"status {self.status}"
        errors = [error if isinstance(error, dict) else {"message": error} for error in body.errors]
        details = [str(error.get("message") or " ".join(map(str, error.values()))) for error in errors]
        return ": ".join(filter(None, [body.message, "; ".join(details)])) or f"status {self.status}"

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asks to wait; None where it does not say."""
        now = datetime.now(UTC).timestamp()
        value = self.headers.get("retry-after", "")
        if value.isdecimal():
            return float(value[:_MAX_SECONDS_DIGITS])
        if value:
            try:
                return max(0.0, parsedate_to_datetime(value).timestamp() - now)
            except ValueError:
                return None
        reset = self.headers.get("x-ratelimit-reset", "")
        if reset.isdecimal() and self.headers.get("x-ratelimit-remaining") == "0":
            return max(0.0, float(reset[:_MAX_TIMESTAMP_DIGITS]) - now)
        return None


class _ErrorBody(msgspec.Struct):
    message: str = ""
    errors: list[Any] = []
