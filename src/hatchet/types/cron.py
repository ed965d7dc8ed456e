"""Crons with a time zone and rules for what goes wrong."""

from datetime import UTC, datetime
from enum import StrEnum

from hatchet._core.durations import Duration, timedelta_to_expr

__all__ = ["CatchUp", "Cron", "Overlap"]


class CatchUp(StrEnum):
    """What is done about ticks that were missed because the engine was away for over a minute."""

    SKIP = "SKIP"
    ONE = "ONE"
    ALL = "ALL"


class Overlap(StrEnum):
    """What a tick does while the run of the tick before goes on.

    - `ALLOW`: it runs beside it
    - `SKIP`: it does not run
    - `QUEUE`: it waits for its end; one tick at most waits, further ones do not run
    - `CANCEL_OLD`: it cancels it
    """

    ALLOW = "ALLOW"
    SKIP = "SKIP"
    QUEUE = "QUEUE"
    CANCEL_OLD = "CANCEL_OLD"


class Cron(str):
    """A cron expression with options. It is a text, and goes wherever a cron does.

        @hatchet.task(on_crons=[Cron("0 3 * * *", zone="Europe/Berlin", overlap=Overlap.SKIP)])
        async def clean_up(input: EmptyModel, ctx: Context) -> None: ...

    - `expression`: minute, hour, day of month, month, day of week, or a second before them
    - `zone` (UTC): IANA time zone. Where clocks change, a cron with chosen hours runs once at each
      of its times; a skipped time is made good at the change. One that runs in every hour
      follows real time.
    - `catch_up` (`SKIP`): `ONE` makes the last missed tick good, `ALL` the last `catch_up_max`
      (100, at most 1000)
    - `overlap` (`ALLOW`): what a tick does while the run before goes on
    - `jitter` (none, at most an hour): each run begins up to this much later, to spread load
    - `start`, `end`: no tick before and after; a time without zone is UTC

    Whether the expression makes sense is checked by the engine, at registration or creation.
    """

    __slots__ = ()

    def __new__(
        cls,
        expression: str,
        *,
        zone: str | None = None,
        catch_up: CatchUp | None = None,
        catch_up_max: int | None = None,
        overlap: Overlap | None = None,
        jitter: Duration | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> "Cron":
        if catch_up_max is not None and catch_up is not CatchUp.ALL:
            raise ValueError("catch_up_max goes with catch_up=CatchUp.ALL only")
        most = "" if catch_up_max is None else f":{catch_up_max}"
        given = {
            "CRON_TZ": zone,
            "CATCH_UP": None if catch_up is None else f"{CatchUp(catch_up)}{most}",
            "OVERLAP": None if overlap is None else str(Overlap(overlap)),
            "JITTER": None if jitter is None else timedelta_to_expr(jitter),
            "START": None if start is None else _time_text(start),
            "END": None if end is None else _time_text(end),
        }
        words = [f"{name}={value}" for name, value in given.items() if value is not None]
        return super().__new__(cls, " ".join([*words, expression]))


def _time_text(at: datetime) -> str:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()
