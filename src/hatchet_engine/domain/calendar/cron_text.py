"""The text of a cron: options, then the expression.

Options are words before the fields, in the manner of the well-known ``CRON_TZ=``; so they can be
used wherever a cron is a text, and with every SDK:

    CRON_TZ=Europe/Berlin OVERLAP=SKIP CATCH_UP=ALL:10 JITTER=30s 0 3 * * *
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from hatchet_engine.domain.calendar.fields import Fields, parse_fields
from hatchet_engine.domain.calendar.policies import CatchUp, Overlap, Policies, check_policies
from hatchet_engine.domain.durations import parse_ms

TEXT_LENGTH_MAX = 500
TEXTS_CACHED_MAX = 20_000


@dataclass(frozen=True, slots=True)
class CronText:
    fields: Fields
    policies: Policies


@lru_cache(maxsize=TEXTS_CACHED_MAX)
def parse(text: str, defaults: Policies | None = None) -> CronText:
    """Read a cron's text; what its words leave open is taken from ``defaults``.

    Raises ``ValueError`` naming the field or the option, and the remedy.

    >>> parse("CRON_TZ=Europe/Berlin 0 3 * * *").policies.zone
    'Europe/Berlin'
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"is {len(text)} characters long, the limit is {TEXT_LENGTH_MAX}")
    words = text.split()
    given: dict[str, Any] = {}
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        option = _OPTIONS.get(name.upper())
        if option is None:
            raise ValueError(f"{name}: is no option; there are {', '.join(sorted(_OPTIONS))}")
        try:
            given.update(option(value))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    policies = check_policies(replace(defaults or Policies(), **given))
    check_zone(policies.zone)
    return CronText(parse_fields(" ".join(words)), policies)


def check_zone(name: str) -> str:
    """Raises ``ValueError`` for what is no IANA time zone."""
    if name == "UTC":
        return name
    try:
        if name in _zones():
            ZoneInfo(name)
            return name
    except (ZoneInfoNotFoundError, OSError):
        pass
    raise ValueError(f"{name!r} is no time zone; use a name such as Europe/Berlin or UTC")


@cache
def _zones() -> frozenset[str]:
    # Not those that mean another zone, or none, on another machine.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _zone(value: str) -> dict[str, Any]:
    return {"zone": check_zone(value)}


def _catch_up(value: str) -> dict[str, Any]:
    kind, colon, most = value.partition(":")
    found: dict[str, Any] = {"catch_up": _member(CatchUp, kind)}
    if colon:
        if found["catch_up"] is not CatchUp.ALL or not (most.isascii() and most.isdigit()):
            raise ValueError("a number goes with ALL only, such as ALL:10")
        found["catch_up_max"] = int(most)
    return found


def _overlap(value: str) -> dict[str, Any]:
    return {"overlap": _member(Overlap, value)}


def _jitter(value: str) -> dict[str, Any]:
    return {"jitter_ms": parse_ms(value)}


def _start(value: str) -> dict[str, Any]:
    return {"start_ms": _moment_ms(value)}


def _end(value: str) -> dict[str, Any]:
    return {"end_ms": _moment_ms(value)}


def _moment_ms(value: str) -> int:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{value!r} is no time with an offset, such as 2026-01-31T08:00:00Z")
    return int(at.timestamp() * 1_000)


def _member(kind: type[CatchUp] | type[Overlap], value: str) -> Any:
    try:
        return kind(value.upper())
    except ValueError:
        raise ValueError(f"is one of {', '.join(kind)}, not {value!r}") from None


_OPTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "TZ": _zone,
    "CRON_TZ": _zone,
    "CATCH_UP": _catch_up,
    "OVERLAP": _overlap,
    "JITTER": _jitter,
    "START": _start,
    "END": _end,
}
