"""The task of the Celery rows. Broker and result backend are Redis, as in Celery's own guide."""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_RESULTS"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="noop")
def noop() -> bool:
    return True


@app.task(name="step")
def step(_: bool) -> bool:
    """A step of a chain: takes the result of the one before."""
    return True


@app.task(name="gather")
def gather(results: list[bool]) -> int:
    """The body of a chord: runs when all tasks of its header have ended."""
    return len(results)
