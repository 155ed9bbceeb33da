"""A moment to come on the command line: a date, a time, or how long from now."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

from mlgit.domain.names import seconds
from mlgit.edges.git.history import parse_time

_DURATION = re.compile(r"[1-9][0-9]{0,5}[mhdw]")


class MomentType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A moment, `2026-12-01` or `2026-12-01T18:00`, or how long from now, `4h`."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        """Read a time or a duration."""
        if isinstance(value, datetime | timedelta):
            return value
        if _DURATION.fullmatch(value):
            return timedelta(seconds=seconds(value))
        moment = parse_time(value)
        if moment is None:
            self.fail(f"{value!r} is no time: write 4h, 2d, 2026-12-01 or 2026-12-01T18:00+01:00", param, ctx)
        return moment


MOMENT = MomentType()
