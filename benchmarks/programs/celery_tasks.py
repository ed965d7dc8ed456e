"""The task of the Celery rows. Broker and result backend are Redis, as in Celery's own guide."""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_RESULTS"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="noop")
def noop() -> bool:
    return True
