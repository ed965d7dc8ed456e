"""Caller of the Prefect row: a flow of four tasks, run where it is called, as in Prefect's own
guide. Its server only records."""

import os
import time
from urllib.error import URLError
from urllib.request import urlopen

from calls import serve
from prefect import flow, task

POLL_S = 0.2
START_TIMEOUT_S = 120


@task
def start() -> int:
    return 1


@task
def add(value: int) -> int:
    return value + 1


@task
def join(left: int, right: int) -> int:
    return left + right


@flow
def diamond() -> int:
    first = start.submit()
    return join.submit(add.submit(first), add.submit(first)).result()


def warm_up() -> None:
    """Return when the server has recorded a flow."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _server_answers():
        if time.monotonic() > deadline:
            raise TimeoutError("the server does not answer")
        time.sleep(POLL_S)
    assert diamond() == 4


def _server_answers() -> bool:
    try:
        with urlopen(f"{os.environ['PREFECT_API_URL']}/health") as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


def latency(samples: int, pause_s: float) -> list[float]:
    """Milliseconds from the call until the result is here, one flow at a time."""
    times_ms = []
    for _ in range(samples):
        time.sleep(pause_s)
        began = time.perf_counter()
        diamond()
        times_ms.append((time.perf_counter() - began) * 1_000)
    return times_ms


if __name__ == "__main__":
    serve({"warm_up": warm_up, "latency": latency})
