"""Duration text: parts of a number and a unit, summed (``1h30m``, ``1.5h``, ``500ms``)."""

from __future__ import annotations

import re
from decimal import Decimal

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ms|s|m|h)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_BIG = re.compile(r"([0-9]{1,8})([dwy])\Z")
_BIG_MS = {"d": 86_400_000, "w": 604_800_000, "y": 31_104_000_000}  # a year is 12 months of 30 days
MAX_MS = 292 * 365 * 86_400_000


def parse_ms(text: str) -> int:
    """Milliseconds of a duration text.

    Units ``ms``, ``s``, ``m``, ``h``, fractions allowed, parts are summed; also a single ``Nd``,
    ``Nw`` or ``Ny``. Raises ValueError for anything else (a bare number, a sign, empty text).

    >>> parse_ms("1h30m")
    5400000
    """
    big = _BIG.match(text)
    if big:
        return _bounded(int(big[1]) * _BIG_MS[big[2]], text)
    total = Decimal(0)
    position = 0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        total += Decimal(part[1]) * _UNIT_MS[part[2]]
        position = part.end()
    if position == 0 or position != len(text):
        raise ValueError(
            f"{text!r} is not a duration: write numbers with units ms, s, m or h, like 90s or 1h30m"
        )
    return _bounded(int(total), text)


def _bounded(ms: int, text: str) -> int:
    if ms > MAX_MS:
        raise ValueError(f"duration {text!r} is too long: the limit is 292 years")
    return ms


def format_ms(ms: int) -> str:
    """The shortest plain text for a duration.

    >>> format_ms(5_400_000)
    '1h30m'
    """
    if ms <= 0:
        return "0s"
    parts = []
    for unit in ("h", "m", "s", "ms"):
        count, ms = divmod(ms, _UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
