"""Durations as the wire writes them: one number and one unit (`ms`, `s`, `m` or `h`).

The official SDK cuts fractions of a second, so that half a second becomes `0h`. Here nothing is
lost: below a second the unit is `ms`.
"""

import re
from datetime import timedelta

Duration = timedelta | str
"""A `timedelta`, or text such as `"10s"`, `"1h30m"`, `"250ms"`."""

_UNIT_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")


def timedelta_to_expr(duration: Duration) -> str:
    """The wire text of a duration: the largest unit that divides it. Text passes unchanged.

    >>> timedelta_to_expr(timedelta(minutes=5)), timedelta_to_expr(timedelta(seconds=61))
    ('5m', '61s')
    >>> timedelta_to_expr(timedelta(milliseconds=1500))
    '1500ms'
    """
    if isinstance(duration, str):
        return duration
    total_us = duration // timedelta(microseconds=1)
    for unit in ("h", "m", "s", "ms"):
        number, rest = divmod(total_us, _UNIT_US[unit])
        if rest == 0:
            return f"{number}{unit}"
    return f"{total_us / 1000:.3f}ms"


def parse_duration(text: str) -> timedelta:
    """The length of a duration text. Raises `ValueError` for anything else.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    body = text.strip()
    sign = -1 if body.startswith("-") else 1
    body = body.lstrip("+-")
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(
            f"not a duration: {text!r}. Write one or more numbers with a unit out of "
            "ms, s, m, h, d: '10s', '1h30m'."
        )
    total_us = sum(round(float(number) * _UNIT_US[unit]) for number, unit in parts)
    return timedelta(microseconds=sign * total_us)


def as_timedelta(duration: Duration) -> timedelta:
    """Either form of a duration as a `timedelta`. Raises `TypeError` and `ValueError`."""
    if isinstance(duration, str):
        return parse_duration(duration)
    if not isinstance(duration, timedelta):
        raise TypeError(
            f"a duration is a timedelta or a text such as '10s', not {type(duration).__name__}"
        )
    return duration


def to_ms(duration: Duration) -> int:
    """Whole milliseconds, rounded up so that a positive duration never becomes 0."""
    return -(-as_timedelta(duration) // timedelta(milliseconds=1))
