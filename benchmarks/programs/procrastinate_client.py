"""Caller of the Procrastinate rows."""

import asyncio
import socket
import time

from calls import serve
from procrastinate_tasks import app, noop, ping

BATCH = 1_000
POLL_S = 0.02
RECEIVE_TIMEOUT_S = 30
DRAIN_TIMEOUT_S = 120
COUNT_DONE = "SELECT count(*) AS done FROM procrastinate_jobs WHERE status = 'succeeded'"

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
receiver.settimeout(RECEIVE_TIMEOUT_S)


async def set_up() -> None:
    """Connect, and make the tables."""
    await app.open_async()
    await app.schema_manager.apply_schema_async()


async def one_ping() -> float:
    """Milliseconds from storing a task until it runs."""
    began = time.perf_counter()
    await ping.defer_async(port=receiver.getsockname()[1])
    await asyncio.to_thread(receiver.recv, 16)
    return (time.perf_counter() - began) * 1_000


async def reset() -> None:
    """Forget all tasks."""
    await app.connector.execute_query_async("TRUNCATE procrastinate_jobs CASCADE")


async def enqueue(count: int) -> float:
    """Seconds for storing `count` tasks, in batches."""
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        await noop.batch_defer_async(*({} for _ in range(min(BATCH, count - start))))
    return time.perf_counter() - began


async def drain(count: int) -> float:
    """Tasks ended per second, from the first one until there are `count`."""
    first, began = 0, 0.0
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while True:
        row = await app.connector.execute_query_one_async(COUNT_DONE)
        done, now = row["done"], time.perf_counter()
        if done and not first:
            first, began = done, now
        if done >= count:
            return (done - first) / (now - began)
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {done} of {count} tasks have ended")
        await asyncio.sleep(POLL_S)


async def end_to_end(count: int) -> float:
    """Seconds from the first send until all tasks have ended; workers run meanwhile."""
    began = time.perf_counter()
    await enqueue(count)
    await drain(count)
    return time.perf_counter() - began


async def latency(samples: int, pause_s: float) -> list[float]:
    """Milliseconds from storing a task until it runs, one at a time."""
    times_ms = []
    for _ in range(samples):
        await asyncio.sleep(pause_s)
        times_ms.append(await one_ping())
    return times_ms


if __name__ == "__main__":
    serve(
        {
            "set_up": set_up,
            "warm_up": one_ping,
            "reset": reset,
            "enqueue": enqueue,
            "drain": drain,
            "end_to_end": end_to_end,
            "latency": latency,
        }
    )
