"""The five or six fields of a cron expression, as sets of numbers."""

from __future__ import annotations

from dataclasses import dataclass

DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # at most
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Fields:
    """What each field allows, ascending. A day must fit both day fields, or, if both are
    restricted, either."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool

    @property
    def every_hour(self) -> bool:
        return len(self.hours) == 24


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        upper = text.upper()
        if upper in self.names:
            return self.low + self.names.index(upper)
        if not (text.isascii() and text.isdigit() and len(text) <= 4):
            raise ValueError(f"{self.name}: {text!r} is not {self._allowed}")
        value = int(text)
        if not self.low <= value <= self.high:
            hint = "; Sunday is 0" if self.names == _WEEKDAYS and value == 7 else ""
            raise ValueError(f"{self.name}: {value} is not {self._allowed}{hint}")
        return value

    @property
    def _allowed(self) -> str:
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.low} to {self.high}{named}"


_SECOND = _Field("second", 0, 59)
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _WEEKDAYS),
)


def parse_fields(text: str) -> Fields:
    """Read ``minute hour day-of-month month day-of-week``, or six with a second before.

    Each field is a list of ``*``, ``?``, numbers and ranges, each with an optional step; months
    and days of the week may be names. Raises ``ValueError`` naming the field and the remedy.

    >>> parse_fields("*/20 9-17 * * MON-FRI").minutes
    (0, 20, 40)
    """
    if text.startswith("@"):
        instead = ALIASES.get(text.lower())
        raise ValueError(
            f"aliases such as {text.split(maxsplit=1)[0]} are not taken; write "
            + (f'"{instead}"' if instead else "the five fields out")
        )
    parts = text.split()
    if len(parts) not in (5, 6):
        raise ValueError(
            "needs 5 fields (minute hour day-of-month month day-of-week), or 6 with a second "
            f"before; got {len(parts)}"
        )
    seconds: tuple[int, ...] = (0,)
    if len(parts) == 6:
        seconds, _ = _parse(_SECOND, parts.pop(0))
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = (
        _parse(field, part) for field, part in zip(_FIELDS, parts, strict=True)
    )
    fields = Fields(
        seconds,
        minutes,
        hours,
        frozenset(days),
        frozenset(months),
        frozenset(weekdays),
        either_day=not any_day and not any_weekday,
    )
    if not fields.either_day and all(min(days) > DAYS_OF_MONTH[month - 1] for month in months):
        raise ValueError(
            f"day of month: none of the chosen months has a day {min(days)}, so it is never due"
        )
    return fields


def _parse(field: _Field, text: str) -> tuple[tuple[int, ...], bool]:
    """The numbers of a field, and whether it says "any"."""
    found: set[int] = set()
    any_value = False
    for item in text.split(","):
        numbers = _item(field, item)
        any_value |= item[:1] in ("*", "?") and numbers.step == 1
        found.update(numbers)
    return tuple(sorted(found)), any_value


def _item(field: _Field, item: str) -> range:
    span, slash, step_text = item.partition("/")
    first, dash, last = span.partition("-")
    if not span:
        raise ValueError(f"{field.name}: {item!r} has an empty part")
    if span in ("*", "?"):
        low, high = field.low, field.high
    elif dash:
        low, high = field.number(first), field.number(last)
        if low > high:
            raise ValueError(f"{field.name}: {span!r} ends before it begins; write two ranges")
    else:
        low = field.number(first)
        high = field.high if slash else low
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit() and len(step_text) <= 4):
            raise ValueError(f"{field.name}: the step {step_text!r} is no number")
        step = int(step_text)
        if step < 1:
            raise ValueError(f"{field.name}: a step must be at least 1")
    return range(low, high + 1, step)
