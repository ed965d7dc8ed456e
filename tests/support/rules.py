"""Short forms for tests of single rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import (
    CancelTasks,
    Pause,
    PausedThing,
    PauseKind,
    ReplayTasks,
    Resume,
)
from tests.support.engine import TENANT, FakeWorker, Harness

HEARTBEAT_MS = 10_000
OTHER_TENANT = UUID("00000000-0000-4000-8000-00000000beef")


@contextmanager
def refused(code: Code, *words: str) -> Iterator[None]:
    """The block is refused with this code, and the text holds these words."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code is code, caught.value
    for word in words:
        assert word in caught.value.message, caught.value.message


async def pass_time(h: Harness, ms: int, *workers: FakeWorker) -> None:
    """Let time go by while these workers keep sending heartbeats."""
    while ms > 0:
        some = min(ms, HEARTBEAT_MS)
        await h.advance(some)
        ms -= some
        for worker in workers:
            h.engine.heartbeat(worker.tenant_id, worker.id)


async def events(h: Harness, task_id: UUID) -> list[EventKind]:
    """What happened to a task, in order."""
    rows = await h.fetch("select kind from task_event where task_id = $1 order by id", task_id)
    return [EventKind(row["kind"]) for row in rows]


async def outcome(h: Harness, task_id: UUID) -> asyncpg.Record:
    (row,) = await h.fetch("select * from outcome where id = $1", task_id)
    return row


async def status(h: Harness, task_id: UUID) -> Status:
    """The status that follows from the row that holds the task."""
    for query, found in (
        ("select 1 from queue_item where task_id = $1", Status.QUEUED),
        ("select 1 from parked_item where task_id = $1", Status.QUEUED),
        ("select 1 from delayed_item where task_id = $1", Status.QUEUED),
        ("select 1 from assignment where task_id = $1", Status.RUNNING),
    ):
        if await h.fetch(query, task_id):
            return found
    return Status((await outcome(h, task_id))["status"])


async def cancel(h: Harness, *ids: UUID, tenant_id: UUID = TENANT) -> list[UUID]:
    return await h.engine.submit(CancelTasks(tenant_id, ids))


async def replay(h: Harness, *ids: UUID, tenant_id: UUID = TENANT) -> list[UUID]:
    return await h.engine.submit(ReplayTasks(tenant_id, ids))


async def add_tenant(h: Harness, tenant_id: UUID = OTHER_TENANT) -> UUID:
    await h.pool.execute(
        "insert into tenant (id, slug, name, created_at, updated_at) "
        "values ($1, $2, 'other', now(), now())",
        tenant_id,
        f"tenant-{tenant_id}",
    )
    return tenant_id


async def pause_worker(h: Harness, worker: FakeWorker) -> PausedThing:
    """Somebody pauses it from outside."""
    return await h.engine.submit(Pause(TENANT, PauseKind.WORKER, str(worker.id)))


async def resume_worker(h: Harness, worker: FakeWorker) -> bool:
    return await h.engine.submit(Resume(TENANT, PauseKind.WORKER, str(worker.id)))
