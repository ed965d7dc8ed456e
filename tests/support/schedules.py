"""Crons and scheduled runs, and what they have made."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.turn.schedule_commands import (
    CreateCron,
    ScheduleRuns,
)
from tests.support.engine import TENANT, Harness

MINUTE = 60_000


HOUR = 3_600_000


async def cron(h: Harness, expression: str = "* * * * *", **more: object) -> UUID:
    options = {"workflow": "hello", "name": "c", **more}
    return await h.engine.submit(CreateCron(TENANT, expression=expression, **options))  # type: ignore[arg-type]


async def schedule(h: Harness, *due_ms: int, workflow: str = "hello", **more: object) -> list[UUID]:
    made = await h.engine.submit(ScheduleRuns(TENANT, workflow, due_ms, **more))  # type: ignore[arg-type]
    return list(made.ids)


async def planned(h: Harness) -> list[str]:
    """The ticks that made runs, in order, without the date of the first day."""
    rows = await h.fetch(
        "select metadata ->> 'hatchet__cron_scheduled_at' as at from task "
        "where kind <> 2 order by id"
    )
    return [row["at"].removeprefix("2026-01-01T").removesuffix("Z") for row in rows]


async def row_of(h: Harness, table: str = "cron"):  # type: ignore[no-untyped-def]
    return (await h.fetch(f"select * from {table}"))[0]
