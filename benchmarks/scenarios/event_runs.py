"""Events pushed in bulk, each of which triggers one run, until the last of the runs has begun.

Two rates: until the engine has stored all events with their runs, and until the worker has run
the last of them. The bar is for the second.
"""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

BAR_PER_S = at_least(3_000)


def run(scale: Scale) -> Outcome:
    events, rounds = scale.pick(10_000, 4_000), scale.pick(5, 3)
    with (
        running_server() as server,
        ready_worker(server, "--flows", f"--count-to={events}") as worker,
        our_client(server) as client,
    ):
        meter = cpu_meter(server, worker, client)
        stored, done, splits = [], [], []
        for _ in range(rounds + 1):
            with meter:
                began_s, stored_s = client.call("push_events", count=events)
                line, _ = worker.wait_for("counted")
            stored.append(events / stored_s)
            done.append(events / (float(line.split()[2]) - began_s))
            splits.append(meter.split("events with a run each, median round", events))
    # The first round is a warm-up.
    middle = sorted(range(1, rounds + 1), key=done.__getitem__)[rounds // 2]
    return Outcome(
        rows=[
            Row("events that trigger a run each, median", median(done[1:]), "events/s", BAR_PER_S),
            Row("the same until all are stored", median(stored[1:]), "events/s"),
        ],
        splits=[splits[middle]],
        details={"events": events, "done_per_s": done, "stored_per_s": stored},
    )
