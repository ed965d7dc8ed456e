"""Caller of the Celery rows."""

import os
import time
from typing import Any

import redis
from calls import serve
from celery import chain, chord
from celery_tasks import gather, noop, step

POLL_S = 0.005
WARM_UP_TIMEOUT_S = 30
DRAIN_TIMEOUT_S = 120

stored = redis.Redis.from_url(os.environ["BENCH_RESULTS"])


def warm_up() -> None:
    """Return when a worker has given a result."""
    noop.delay().get(timeout=WARM_UP_TIMEOUT_S)


def reset() -> None:
    """Forget all results."""
    stored.flushdb()


def enqueue(count: int) -> float:
    """Seconds for sending `count` tasks without waiting for any."""
    began = time.perf_counter()
    for _ in range(count):
        noop.delay()
    return time.perf_counter() - began


def drain(count: int) -> float:
    """Results stored per second, from the first one until there are `count`."""
    first, began = 0, 0.0
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while True:
        done, now = stored.dbsize(), time.perf_counter()
        if done and not first:
            first, began = done, now
        if done >= count:
            return (done - first) / (now - began)
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {done} of {count} results are stored")
        time.sleep(POLL_S)


def end_to_end(count: int) -> float:
    """Seconds from the first send until all results are here; workers run meanwhile."""
    began = time.perf_counter()
    results = [noop.delay() for _ in range(count)]
    for result in results:
        result.get()
    return time.perf_counter() - began


def latency(samples: int, pause_s: float) -> list[float]:
    """Milliseconds from sending until the result is here, one task at a time."""
    times_ms: list[Any] = []
    for _ in range(samples):
        time.sleep(pause_s)
        began = time.perf_counter()
        noop.delay().get()
        times_ms.append((time.perf_counter() - began) * 1_000)
    return times_ms


def chord_of(count: int, samples: int) -> list[float]:
    """Seconds from sending `count` tasks until the result of the one that gathers theirs."""
    times_s = []
    for _ in range(samples):
        began = time.perf_counter()
        gathered = chord([noop.s() for _ in range(count)])(gather.s()).get()
        times_s.append(time.perf_counter() - began)
        assert gathered == count
    return times_s


def chain_of(count: int, samples: int) -> list[float]:
    """Milliseconds per task of a chain of `count` tasks, one chain at a time."""
    times_ms = []
    for _ in range(samples):
        began = time.perf_counter()
        chain(noop.s(), *(step.s() for _ in range(count - 1)))().get()
        times_ms.append((time.perf_counter() - began) * 1_000 / count)
    return times_ms


if __name__ == "__main__":
    serve(
        {
            "warm_up": warm_up,
            "reset": reset,
            "enqueue": enqueue,
            "drain": drain,
            "end_to_end": end_to_end,
            "latency": latency,
            "chord_of": chord_of,
            "chain_of": chain_of,
        }
    )
