"""What a worker that comes back holds, against what the engine has given it."""

from __future__ import annotations

from hatchet_engine.turn.commands import CancelTasks, CloseStream
from tests.support.engine import TENANT, Harness


async def test_what_ended_while_the_stream_was_away_is_stopped(h: Harness) -> None:
    await h.put()
    worker = await h.worker(protocol="session")
    gone, kept = await h.trigger(count=2)
    tasks = {task.task_id: task for task in await worker.next(2)}
    await h.engine.submit(CloseStream(TENANT, worker.id, worker))
    await h.engine.submit(CancelTasks(TENANT, [gone]))
    await worker.open(held=[(task.task_id, task.attempt) for task in tasks.values()])
    notice = await worker.next_cancel()
    assert (notice.task_id, notice.attempt) == (gone, 0)
    assert not worker.cancels
    assert await worker.complete(tasks[kept])
