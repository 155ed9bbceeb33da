"""Times that lie ahead on the command line: a date, a time, or how long from now."""

from datetime import date, datetime, timedelta
from typing import Any

import click

from mlgit.domain.names import is_duration, seconds
from mlgit.edges.git.history import parse_time


class TimeType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A time, `2026-12-01` or `2026-12-01T18:00`, or how long from now, `4h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        """Read a time or a duration."""
        if isinstance(value, datetime | timedelta):
            return value
        if is_duration(value):
            return timedelta(seconds=seconds(value))
        time = parse_time(value)
        if time is None:
            self.fail(f"{value!r} is not a time: write 4h, 2d, 2026-12-01 or 2026-12-01T18:00+01:00", param, ctx)
        return time


class DateType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A date, `2026-12-01`."""

    name = "date"

    def convert(self, value: date | str, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read a date."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date: write it as 2026-12-01", param, ctx)


TIME = TimeType()
DATE = DateType()
