"""Durations as people type them: `90s`, `15m`, `24h`, `7d`, and sums such as `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta

from hatchet_cli.output import EXIT_USAGE, CommandError

UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
YEARS_MAX = 1_000  # so that a time so far from now is one
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)\s*")


def parse_duration(text: str) -> timedelta:
    """The duration; raises `ValueError` with an example when `text` is none.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    position, seconds = 0, 0.0
    stripped = text.strip().lower()
    while position < len(stripped):
        part = _PART.match(stripped, position)
        if part is None:
            break
        seconds += float(part[1]) * UNITS_S[part[2]]
        position = part.end()
    if position == 0 or position < len(stripped):
        raise ValueError(f"{text!r} is no duration: write for example 30s, 15m, 24h or 90d")
    if seconds > YEARS_MAX * 365 * UNITS_S["d"]:
        raise ValueError(f"{text!r} is too long: the limit is {YEARS_MAX} years")
    return timedelta(seconds=seconds)


def read_duration(flag: str, text: str) -> timedelta:
    """The duration given to `flag`; raises `CommandError` that names the flag."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise CommandError(f"{flag}: {error}", code=EXIT_USAGE) from error
