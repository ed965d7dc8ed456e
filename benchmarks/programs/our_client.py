"""A caller with our SDK. Times are seconds unless their name says otherwise."""

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from calls import serve
from our_flows import FLOWS, TRIGGER_KEY, WAKE_KEY
from our_limits import LIMITED, Keyed
from our_tasks import TASKS, hatchet

from hatchet import BulkPushEventWithMetadata
from hatchet._wire import schedules

RUNNABLES: dict[str, Any] = {**TASKS, **FLOWS, **LIMITED}
FILL_BATCH = 10_000
SCHEDULE_BATCH = 1_000
LATENCY_PAUSE_S = 0.01
WARM_UP_TIMEOUT_S = 30
WARM_UP_PAUSE_S = 0.1


async def warm_up(task: str) -> None:
    """Return when a worker has run `task`; until one has registered it, the engine refuses."""
    deadline = time.monotonic() + WARM_UP_TIMEOUT_S
    while True:
        try:
            await RUNNABLES[task].aio_run()
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(WARM_UP_PAUSE_S)


async def bulk(task: str, count: int, keys: int = 0) -> float:
    """Trigger `count` runs in bulk and wait for all results. With `keys`, each run has one of so
    many keys in its input, in turn."""
    runnable = RUNNABLES[task]
    began = time.perf_counter()
    results = await runnable.aio_run_many(_items(runnable, count, keys))
    took_s = time.perf_counter() - began
    assert len(results) == count
    assert all(_done(result) for result in results)
    return took_s


def _items(runnable: Any, count: int, keys: int) -> list[Any]:
    if keys == 0:
        return [runnable.create_bulk_run_item() for _ in range(count)]
    inputs = [Keyed(key=f"key-{number}") for number in range(keys)]
    return [runnable.create_bulk_run_item(inputs[number % keys]) for number in range(count)]


def _done(result: dict[str, Any]) -> bool:
    """Whether a task, or each task of a workflow, has given the result of a no-op."""
    outputs = list(result.values())
    return outputs == [True] or (outputs != [] and all(output["done"] for output in outputs))


async def fill(task: str, count: int) -> float:
    """Trigger `count` runs in bulk and wait for none."""
    runnable = RUNNABLES[task]
    items = [runnable.create_bulk_run_item() for _ in range(min(count, FILL_BATCH))]
    began = time.perf_counter()
    for start in range(0, count, FILL_BATCH):
        await runnable.aio_run_many_no_wait(items[: count - start])
    return time.perf_counter() - began


kept: list[Any] = []


async def fill_kept(task: str, count: int, keep: int) -> float:
    """Like `fill`; the first `keep` runs can be asked for with `gaps`."""
    runnable = RUNNABLES[task]
    items = [runnable.create_bulk_run_item() for _ in range(keep)]
    kept[:] = await runnable.aio_run_many_no_wait(items)
    return await fill(task, count - keep)


async def gaps() -> list[float]:
    """Milliseconds from each kept run to the next; the task tells the clock."""
    times_s = [(await run.aio_result())["at_s"] for run in kept]
    return [(after - before) * 1_000 for before, after in itertools.pairwise(times_s)]


async def one_by_one(task: str, count: int, callers: int) -> float:
    """`callers` callers share `count` runs; each triggers one, waits for it, then the next."""
    runnable = RUNNABLES[task]
    numbers = iter(range(count))

    async def call() -> None:
        for _ in numbers:
            await runnable.aio_run()

    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return time.perf_counter() - began


async def latency(task: str, samples: int, pause_s: float) -> list[float]:
    """Milliseconds from trigger to result, one run at a time, with a pause before each."""
    runnable = RUNNABLES[task]
    times_ms = []
    for _ in range(samples):
        await asyncio.sleep(pause_s)
        began = time.perf_counter()
        result = await runnable.aio_run()
        times_ms.append((time.perf_counter() - began) * 1_000)
        assert _done(result)
    return times_ms


async def latency_from(task: str, from_s: float, window_s: float) -> list[tuple[float, float]]:
    """The clock and the milliseconds from trigger to result of runs, one at a time, from a time
    of the clock on for a while."""
    runnable = RUNNABLES[task]
    samples = []
    await asyncio.sleep(from_s - time.perf_counter())
    while (began := time.perf_counter()) < from_s + window_s:
        await runnable.aio_run()
        samples.append((began, (time.perf_counter() - began) * 1_000))
        await asyncio.sleep(LATENCY_PAUSE_S)
    return samples


async def schedule(task: str, count: int, in_s: float, apart_ms: int = 0) -> tuple[float, float]:
    """Schedule `count` runs: all for one moment, or the first for it and each a little later.

    The clock at that moment, and the seconds until the engine has stored them.
    """
    began, now = time.perf_counter(), datetime.now(UTC)
    session = hatchet._client.session
    for start in range(0, count, SCHEDULE_BATCH):
        numbers = range(start, min(start + SCHEDULE_BATCH, count))
        times = [now + timedelta(seconds=in_s, milliseconds=n * apart_ms) for n in numbers]
        request = schedules.schedule_request(task, times, "", "", None, (None, None, None, None))
        await session.unary(schedules.PATH, request, once=True)
    return began + in_s, time.perf_counter() - began


async def create_cron(task: str, name: str) -> None:
    """A cron that is not due for long."""
    await RUNNABLES[task].aio_create_cron(name, "0 0 1 1 *")


async def push_events(count: int) -> tuple[float, float]:
    """Push events that trigger one run each, in bulk.

    The clock at the first push (on Linux the same for all processes), and the seconds until the
    engine has stored all events and runs.
    """
    events = [BulkPushEventWithMetadata(key=TRIGGER_KEY) for _ in range(count)]
    began = time.perf_counter()
    await hatchet.event.aio_bulk_push(events)
    return began, time.perf_counter() - began


async def wake_latency(samples: int, pause_s: float) -> list[float]:
    """Milliseconds from pushing an event to the result of the one run that waits for it."""
    runnable = RUNNABLES["bench-woken"]
    times_ms = []
    for _ in range(samples):
        run = await runnable.aio_run_no_wait()
        await asyncio.sleep(pause_s)
        began = time.perf_counter()
        await hatchet.event.aio_push(WAKE_KEY, {})
        await run.aio_result()
        times_ms.append((time.perf_counter() - began) * 1_000)
    return times_ms


if __name__ == "__main__":
    operations = (
        warm_up,
        bulk,
        fill,
        fill_kept,
        gaps,
        one_by_one,
        latency,
        one_by_one,
        latency,
        latency_from,
        schedule,
        create_cron,
        push_events,
        wake_latency,
    )
    serve({operation.__name__: operation for operation in operations})
