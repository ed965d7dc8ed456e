"""Crons: texts, ticks at the changes of clocks, policies (CR-*, section 7.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchet_engine.domain.calendar import CatchUp, Overlap, jittered_ms, parse
from hatchet_engine.domain.calendar.fields import Fields, parse_fields
from hatchet_engine.domain.calendar.policies import JITTER_MAX_MS
from hatchet_engine.domain.calendar.ticks import Ticks

HOUR_S = 3_600


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def upcoming(text: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next ticks, as times on the wall with their offsets."""
    ticks, at, found = Ticks(parse_fields(text), zone), ms(after), []
    for _ in range(count):
        tick = ticks.after(at)
        assert tick is not None
        at = tick
        found.append(datetime.fromtimestamp(at / 1_000, ZoneInfo(zone)).isoformat()[2:])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 * * *", "2026-03-11T00:00"),
        ("*/15 * * * *", "2026-03-10T12:45"),
        ("5/20 12 * * *", "2026-03-10T12:45"),
        ("0 9-17/4 * * MON-FRI", "2026-03-10T13:00"),
        ("0 0 1 jan ?", "2027-01-01T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 13 * FRI", "2026-03-13T00:00"),  # either day: both are restricted
        ("0 0 20 * 0", "2026-03-15T00:00"),
        ("0 0 */2 * 3", "2026-03-11T00:00"),  # a step restricts, so either day
        ("0 0 * * 1,3", "2026-03-11T00:00"),
        ("30 31 12 * * *", "2026-03-10T12:31:30"),
        ("* * * * * *", "2026-03-10T12:30:01"),
    ],
)
def test_next_tick(text: str, expected: str) -> None:
    tick = Ticks(parse_fields(text), "UTC").after(ms("2026-03-10T12:30:00+00:00"))
    assert tick == ms(expected + "+00:00")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@daily", 'aliases .*write "0 0 \\* \\* \\*"'),
        ("@every 5m", "aliases"),
        ("* * * *", "needs 5 fields.*got 4"),
        ("* * * * * * *", "got 7"),
        ("", "got 0"),
        ("60 * * * *", "minute: 60 is not 0 to 59"),
        ("60 * * * * *", "second: 60"),
        ("* 24 * * *", "hour: 24"),
        ("* * 0 * *", "day of month: 0 is not 1 to 31"),
        ("* * * 13 *", "month: 13 is not 1 to 12 or JAN to DEC"),
        ("* * * * 7", "day of week: 7 .*Sunday is 0"),
        ("* * * * MONDAY", "day of week: 'MONDAY'"),
        ("* * L * *", "day of month: 'L'"),
        ("*/0 * * * *", "minute: a step must be at least 1"),
        ("*/x * * * *", "minute: the step 'x'"),
        ("5-1 * * * *", "minute: '5-1' ends before it begins"),
        ("1,,2 * * * *", "minute: '' has an empty part"),
        ("-5 * * * *", "minute: '' is not"),
        ("0 0 31 2 *", "day of month: none of the chosen months has a day 31"),
        ("0 0 31 FEB,APR,JUN ?", "never due"),
        ("٣ * * * *", "minute: '٣'"),
    ],
)
def test_bad_texts_name_the_field(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_fields(text)


def test_days_that_exist_in_some_month_or_week_are_taken() -> None:
    parse_fields("0 0 31 FEB,MAR *")
    parse_fields("0 0 31 2 MON")  # each Monday in February


def test_29_february_across_1900s_gap_of_eight_years() -> None:
    ticks = Ticks(parse_fields("0 0 29 2 *"), "UTC")
    assert ticks.after(ms("2096-02-29T00:00:00+00:00")) == ms("2104-02-29T00:00:00+00:00")
    assert ticks.before(ms("2104-02-29T00:00:00+00:00")) == ms("2096-02-29T00:00:00+00:00")


def test_times_out_of_reach_are_never_due() -> None:
    ticks = Ticks(parse_fields("* * * * *"), "UTC")
    assert ticks.after(ms("9001-01-01T00:00:00+00:00")) is None
    assert ticks.after(10**18) is None
    assert ticks.before(-(10**18)) is None
    assert Ticks(parse_fields("0 0 1 1 *"), "UTC").after(ms("9000-06-01T00:00:00+00:00")) is None


def test_skipped_hour_is_made_good_once() -> None:
    zone = "Europe/Berlin"  # 2026-03-29: 02:00 becomes 03:00
    assert upcoming("30 2 * * *", "2026-03-28T12:00:00+01:00", 2, zone) == [
        "26-03-29T03:00:00+02:00",
        "26-03-30T02:30:00+02:00",
    ]
    assert upcoming("*/15 2 * * *", "2026-03-29T00:00:00+01:00", 2, zone) == [
        "26-03-29T03:00:00+02:00",
        "26-03-30T02:00:00+02:00",
    ]
    assert upcoming("30 * * * *", "2026-03-29T01:00:00+01:00", 2, zone) == [
        "26-03-29T01:30:00+01:00",
        "26-03-29T03:30:00+02:00",
    ]


def test_doubled_hour_counts_once_for_chosen_hours_and_twice_for_all() -> None:
    zone = "Europe/Berlin"  # 2026-10-25: 03:00 becomes 02:00
    assert upcoming("30 2 * * *", "2026-10-24T12:00:00+02:00", 2, zone) == [
        "26-10-25T02:30:00+02:00",
        "26-10-26T02:30:00+01:00",
    ]
    assert upcoming("30 * * * *", "2026-10-25T02:00:00+02:00", 3, zone) == [
        "26-10-25T02:30:00+02:00",
        "26-10-25T02:30:00+01:00",
        "26-10-25T03:30:00+01:00",
    ]


def test_an_hour_that_comes_twice_around_midnight_is_found_on_its_day() -> None:
    # In Beirut midnight of 25 October 2026 becomes 23:00 of the 24th once more.
    again = upcoming("15 * 24 10 *", "2026-10-24T22:30:00+03:00", 3, "Asia/Beirut")
    assert again == [
        "26-10-24T23:15:00+03:00",
        "26-10-24T23:15:00+02:00",
        "27-10-24T00:15:00+03:00",
    ]
    ticks = Ticks(parse_fields("15 * 24 10 *"), "Asia/Beirut")
    assert ticks.before(ms(f"20{again[2]}")) == ms(f"20{again[1]}")
    assert ticks.before(ms(f"20{again[1]}")) == ms(f"20{again[0]}")


def test_changes_of_half_an_hour_and_of_a_day() -> None:
    assert upcoming("15 2 * * *", "2026-10-04T00:00:00+10:30", 1, "Australia/Lord_Howe") == [
        "26-10-04T02:30:00+11:00"
    ]
    # Samoa skipped 30 December 2011 whole.
    assert upcoming("0 12 30 12 *", "2011-12-01T00:00:00+00:00", 1, "Pacific/Apia") == [
        "11-12-31T00:00:00+14:00"
    ]


SOME_ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
# Days with a change of clocks in one of the zones, and an ordinary one.
SOME_DAYS = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"]


def fields_of(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(
        lambda pair: f"{min(pair)}-{max(pair)}"
    )
    step = st.integers(1, 12).map(lambda n: f"*/{n}")
    return st.one_of(
        st.just("*"), number, span, step, st.lists(number, min_size=2, max_size=3).map(",".join)
    )


expressions = st.tuples(
    fields_of(0, 59), fields_of(0, 23), fields_of(1, 28), fields_of(1, 12), fields_of(0, 6)
).map(" ".join)


def fits(fields: Fields, wall: datetime) -> bool:
    by_month, by_week = wall.day in fields.days, wall.isoweekday() % 7 in fields.weekdays
    day = by_month or by_week if fields.either_day else by_month and by_week
    return (
        day
        and wall.month in fields.months
        and wall.hour in fields.hours
        and wall.minute in fields.minutes
        and wall.second in fields.seconds
    )


def enumerated(fields: Fields, zone: ZoneInfo, begin: int, end: int, step: int) -> list[int]:
    """Ticks with begin < tick < end, by looking at each minute (or second)."""
    found = []
    before = datetime.fromtimestamp(begin, zone)
    for at in range(begin + step, end, step):
        wall = datetime.fromtimestamp(at, zone)
        offset, old = wall.utcoffset(), before.utcoffset()
        assert offset is not None
        assert old is not None
        due = fits(fields, wall) and (fields.every_hour or wall.fold == 0)
        if offset > old and not fields.every_hour:
            skipped = wall.replace(tzinfo=None) - (offset - old)
            while skipped < wall.replace(tzinfo=None):
                due = due or fits(fields, skipped)
                skipped += timedelta(seconds=step)
        if due:
            found.append(at)
        before = wall
    return found


def compared(text: str, zone: str, begin: int, end: int, step: int) -> None:
    fields = parse_fields(text)
    ticks = Ticks(fields, zone)
    expected = enumerated(fields, ZoneInfo(zone), begin, end, step)
    forward, at = [], begin * 1_000
    while (tick := ticks.after(at)) is not None and tick < end * 1_000:
        forward.append(tick // 1_000)
        at = tick
    assert forward == expected
    back, at = [], end * 1_000
    while (tick := ticks.before(at)) is not None and tick > begin * 1_000:
        back.append(tick // 1_000)
        at = tick
    assert back[::-1] == expected


@given(expressions, st.sampled_from(SOME_ZONES), st.sampled_from(SOME_DAYS))
@settings(max_examples=200, deadline=None)
def test_ticks_are_those_that_enumeration_finds(text: str, zone: str, day: str) -> None:
    begin = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) - 24 * HOUR_S
    compared(text, zone, begin, begin + 60 * HOUR_S, 60)


@given(fields_of(0, 59), fields_of(0, 59), fields_of(0, 23), st.sampled_from(SOME_ZONES[1:4]))
@settings(max_examples=60, deadline=None)
def test_ticks_with_seconds(second: str, minute: str, hour: str, zone: str) -> None:
    for change in (1_774_746_000, 1_792_890_000, 1_793_512_800, 1_775_314_800):
        begin = change - 2 * HOUR_S
        compared(f"{second} {minute} {hour} * * *", zone, begin, begin + 600, 1)
        compared(f"{second} {minute} {hour} * * *", zone, change - 300, change + 300, 1)


def test_options_stand_before_the_fields() -> None:
    text = parse(
        "CRON_TZ=Europe/Berlin OVERLAP=skip CATCH_UP=ALL:10 JITTER=30s "
        "START=2026-01-01T00:00:00Z END=2026-12-31T00:00:00+01:00 0 3 * * *"
    )
    policies = text.policies
    assert (policies.zone, policies.overlap, policies.jitter_ms) == (
        "Europe/Berlin",
        Overlap.SKIP,
        30_000,
    )
    assert (policies.catch_up, policies.catch_up_max) == (CatchUp.ALL, 10)
    assert policies.start_ms == ms("2026-01-01T00:00:00+00:00")
    assert policies.end_ms == ms("2026-12-31T00:00:00+01:00")
    assert text.fields == parse_fields("0 3 * * *")
    assert parse("TZ=Asia/Kolkata * * * * *").policies.zone == "Asia/Kolkata"
    assert parse("CATCH_UP=ALL:0000000010 * * * * *").policies.catch_up_max == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TZ=Mars * * * * *", "TZ: 'Mars' is no time zone"),
        ("TZ=../etc/passwd * * * * *", "no time zone"),
        ("TZ= * * * * *", "no time zone"),
        ("COLOUR=red * * * * *", "COLOUR: is no option; there are CATCH_UP"),
        ("OVERLAP=NEVER * * * * *", "OVERLAP: is one of ALLOW, SKIP, QUEUE, CANCEL_OLD"),
        ("CATCH_UP=ONE:3 * * * * *", "goes with ALL only"),
        ("CATCH_UP=ALL:0 * * * * *", "catch_up_max: must be between 1 and 1000"),
        ("CATCH_UP=ALL:1001 * * * * *", "catch_up_max"),
        ("CATCH_UP=ALL:10000000000 * * * * *", "got 10000000000"),
        ("TZ=localtime * * * * *", "'localtime' is no time zone"),
        ("JITTER=5 * * * * *", "JITTER: '5' is not a duration"),
        ("JITTER=61m * * * * *", "jitter: must be between 0 and 60 minutes"),
        ("START=2026-01-01T00:00:00 * * * * *", "with an offset"),
        ("END=2026-01-01T00:00:00Z START=2026-01-02T00:00:00Z * * * * *", "lies before start"),
        ("* " * 251, "limit is 500"),
    ],
)
def test_bad_options_are_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_jitter_is_bounded_and_always_the_same() -> None:
    cron, other = UUID(int=1), UUID(int=2)
    spread = {jittered_ms(cron, tick, 1_000) - tick for tick in range(0, 60_000_000, 60_000)}
    assert min(spread) >= 0
    assert max(spread) <= 1_000
    assert len(spread) > 500
    assert jittered_ms(cron, 60_000, 1_000) == jittered_ms(cron, 60_000, 1_000)
    assert jittered_ms(cron, 60_000, JITTER_MAX_MS) != jittered_ms(other, 60_000, JITTER_MAX_MS)
    assert jittered_ms(cron, 60_000, 0) == 60_000
