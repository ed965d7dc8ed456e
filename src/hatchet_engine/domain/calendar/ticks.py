"""When a cron is due, in a time zone.

At the change of clocks a cron follows one of two rules:

- One that runs in every hour follows real time: an hour that is skipped has no ticks, one that
  comes twice has them twice.
- One with chosen hours is due once at each of its times by the clock on the wall: of a time that
  comes twice the first counts, and times that are skipped are made good at the moment of the
  change, once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from hatchet_engine.domain.calendar.fields import Fields

# 29 February can be eight years away (2096 to 2104); nothing that is due at all is further.
MONTHS_AHEAD_MAX = 9 * 12
YEAR_MAX = 9_000  # what comes later is never due; far from where datetime ends
YEAR_MIN = 1_900
TICKS_CACHED_MAX = 20_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
Clock = tuple[int, int, int]
MIDNIGHT: Clock = (0, 0, 0)
LAST_SECOND: Clock = (23, 59, 59)


class Ticks:
    """The moments at which a cron is due. Times are epoch milliseconds.

    >>> from hatchet_engine.domain.calendar.fields import parse_fields
    >>> Ticks(parse_fields("0 0 * * *"), "UTC").after(0)
    86400000
    """

    def __init__(self, fields: Fields, zone: str) -> None:
        self._fields = fields
        self._zone: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)

    def after(self, moment_ms: int) -> int | None:
        """The first tick later than a moment; None: there is none."""
        moment = moment_ms // 1_000
        wall = self._wall(moment)
        if wall is None:
            return None
        best = self._first(wall + _SECOND, moment)
        repeats_s = self._utc(wall, 1) - moment
        if repeats_s > 0 and self._fields.every_hour:
            # The clock is about to be set back: times that were on it already come once more.
            again = self._first(wall - timedelta(seconds=repeats_s), moment)
            best = min((one for one in (best, again) if one is not None), default=None)
        return None if best is None else best * 1_000

    def before(self, moment_ms: int) -> int | None:
        """The last tick earlier than a moment; None: there is none."""
        moment = -(-moment_ms // 1_000)
        wall = self._wall(moment)
        if wall is None:
            return None
        best = self._last(wall - _SECOND, moment)
        set_back_s = moment - self._utc(wall, 0)
        if set_back_s > 0:
            # The clock was just set back: times that lie ahead on it have been already.
            ahead = self._last(wall + timedelta(seconds=set_back_s), moment)
            best = max((one for one in (best, ahead) if one is not None), default=None)
        return None if best is None else best * 1_000

    def _first(self, start: datetime, moment: int) -> int | None:
        """Of the times on the clock from ``start`` on, when the first comes after a moment."""
        for wall in self._walls(start):
            for at in self._instants(wall):
                if at > moment:
                    return at
        return None

    def _last(self, start: datetime, moment: int) -> int | None:
        """Of the times on the clock up to ``start``, when the last came before a moment."""
        for wall in self._walls_back(start):
            for at in reversed(self._instants(wall)):
                if at < moment:
                    return at
        return None

    # ------------------------------------------------------------ the clock on the wall

    def _wall(self, moment: int) -> datetime | None:
        try:
            wall = datetime.fromtimestamp(moment, self._zone).replace(tzinfo=None, fold=0)
        except (OverflowError, ValueError, OSError):
            return None
        return wall if YEAR_MIN < wall.year <= YEAR_MAX else None

    def _offset(self, moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, self._zone).utcoffset()

    def _utc(self, wall: datetime, fold: int) -> int:
        return (wall.replace(tzinfo=self._zone, fold=fold) - _EPOCH) // _SECOND

    def _instants(self, wall: datetime) -> tuple[int, ...]:
        """When it is this time, as far as it makes a tick; ascending."""
        first, second = self._utc(wall, 0), self._utc(wall, 1)
        if first == second:
            return (first,)
        if first < second:
            return (first, second) if self._fields.every_hour else (first,)
        return () if self._fields.every_hour else (self._change(second, first),)

    def _change(self, low: int, high: int) -> int:
        """The second at which the offset changes between two moments."""
        old = self._offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == old:
                low = middle
            else:
                high = middle
        return high

    # ------------------------------------------------------------ walks over the fields

    def _walls(self, start: datetime) -> Iterator[datetime]:
        for day in self._days(start.date(), 1):
            low = _clock(start) if day == start.date() else MIDNIGHT
            for hour, minute, second in self._times(low):
                yield datetime.combine(day, time(hour, minute, second))

    def _walls_back(self, start: datetime) -> Iterator[datetime]:
        for day in self._days(start.date(), -1):
            high = _clock(start) if day == start.date() else LAST_SECOND
            for hour, minute, second in self._times_back(high):
                yield datetime.combine(day, time(hour, minute, second))

    def _days(self, start: date, step: int) -> Iterator[date]:
        """Days that fit, from ``start`` on, forward or back."""
        months = start.year * 12 + start.month - 1
        for number in range(months, months + step * MONTHS_AHEAD_MAX, step):
            year, month = number // 12, number % 12 + 1
            if month not in self._fields.months or not YEAR_MIN <= year <= YEAR_MAX:
                continue
            first_weekday, length = monthrange(year, month)
            days = range(1, length + 1)
            if number == months:
                days = days[start.day - 1 :] if step > 0 else days[: start.day]
            for day in days[::step]:
                # monthrange counts from Monday, crons from Sunday.
                if self._fits(day, (first_weekday + day) % 7):
                    yield date(year, month, day)

    def _fits(self, day: int, weekday: int) -> bool:
        by_month, by_week = day in self._fields.days, weekday in self._fields.weekdays
        return by_month or by_week if self._fields.either_day else by_month and by_week

    def _times(self, low: Clock) -> Iterator[Clock]:
        """Times of a day that fit, from ``low`` on."""
        hours, minutes, seconds = self._fields.hours, self._fields.minutes, self._fields.seconds
        for hour in hours[bisect_left(hours, low[0]) :]:
            first = bisect_left(minutes, low[1]) if hour == low[0] else 0
            for minute in minutes[first:]:
                begin = bisect_left(seconds, low[2]) if (hour, minute) == low[:2] else 0
                for second in seconds[begin:]:
                    yield hour, minute, second

    def _times_back(self, high: Clock) -> Iterator[Clock]:
        """Times of a day that fit, from ``high`` down."""
        hours, minutes, seconds = self._fields.hours, self._fields.minutes, self._fields.seconds
        for hour in reversed(hours[: bisect_right(hours, high[0])]):
            last = bisect_right(minutes, high[1]) if hour == high[0] else None
            for minute in reversed(minutes[:last]):
                end = bisect_right(seconds, high[2]) if (hour, minute) == high[:2] else None
                for second in reversed(seconds[:end]):
                    yield hour, minute, second


def _clock(wall: datetime) -> Clock:
    return wall.hour, wall.minute, wall.second


@lru_cache(maxsize=TICKS_CACHED_MAX)
def ticks_of(fields: Fields, zone: str) -> Ticks:
    """The ticks of a cron; kept, because crons fire again and again."""
    return Ticks(fields, zone)
