"""Who waits for results hears of them once (RS-*)."""

from __future__ import annotations

import asyncio

from hatchet_engine.domain.states import Status
from tests.support.engine import TENANT, Harness, Results


class Counting(Results):
    """Counts what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def deliver_results(self, results: object) -> None:
        self.heard.extend(results)  # type: ignore[call-overload]
        super().deliver_results(results)  # type: ignore[arg-type]


async def test_rs_2_early_subscriber_hears_at_the_end(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    early = Counting()
    h.subscriptions.subscribe(TENANT, early, [run])
    (task,) = await worker.next()
    assert early.heard == []
    await worker.complete(task, '{"x":1}')
    result = await early.of(run)
    assert (result.status, result.tasks[0].output, result.tasks[0].error) == (
        Status.COMPLETED,
        '{"x":1}',
        None,
    )
    assert (result.tasks[0].task_name, result.tasks[0].task_id) == ("hello", run)
    assert result.finished_ms == h.clock.now_ms()


async def test_rs_2_late_subscriber_hears_the_same(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail((await worker.next())[0], "boom")
    late = Counting()
    h.subscriptions.subscribe(TENANT, late, [run])
    assert await late.of(run) == await h.result(run)


async def test_rs_2_subscribing_twice_delivers_once(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    both = Counting()
    h.subscriptions.subscribe(TENANT, both, [run])
    h.subscriptions.subscribe(TENANT, both, [run, run])
    await worker.complete((await worker.next())[0])
    await both.of(run)
    # Another run's result comes after anything that might still be on its way for the first.
    (other,) = await h.trigger()
    h.subscriptions.subscribe(TENANT, both, [other])
    await worker.complete((await worker.next())[0])
    await both.of(other)
    assert len(both.heard) == 2


async def test_rs_2_many_subscribers_hear_of_one_run(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    waiting = [Counting() for _ in range(5)]
    for one in waiting:
        h.subscriptions.subscribe(TENANT, one, [run])
    h.subscriptions.unsubscribe(waiting[0])
    await worker.complete((await worker.next())[0])
    await asyncio.gather(*[one.of(run) for one in waiting[1:]])
    assert waiting[0].heard == []


async def test_rs_2_trigger_with_subscriber_misses_nothing(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1_000)
    runs = await h.trigger(count=500)
    for task in await worker.next(500):
        await worker.complete(task)
    results = await asyncio.gather(*[h.result(run) for run in runs])
    assert {result.status for result in results} == {Status.COMPLETED}


async def test_rs_2_late_subscriber_after_a_restart(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0], '{"x":1}')
    assert h.engine._connection is not None
    await h.engine.take_over(h.engine._connection)
    late = Counting()
    h.subscriptions.subscribe(TENANT, late, [run])
    assert (await late.of(run)).tasks[0].output == '{"x":1}'
