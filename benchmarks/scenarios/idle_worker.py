"""Our worker: from the start of its process until it is registered, and its memory when idle."""

from __future__ import annotations

import time

from benchmarks.support.proc import descendants, memory_mb
from benchmarks.support.rows import Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

SETTLE_S = 1.0
DEFAULT_SLOTS = 100


def run(scale: Scale) -> Outcome:
    starts_s, rss_mb, pss_mb = [], [], []
    with running_server() as server:
        for _ in range(scale.pick(5, 2) + 1):
            with our_worker(server, slots=DEFAULT_SLOTS) as worker:
                starts_s.append(worker.wait_for("ready")[1])
                time.sleep(SETTLE_S)
                pids = [worker.pid, *(child.pid for child in descendants(worker.pid))]
                sizes = [memory_mb(pid) for pid in pids]
                rss_mb.append(sum(rss for rss, _ in sizes))
                pss_mb.append(sum(pss for _, pss in sizes))
    # The first start also declares the tasks anew, and reads the files from disk.
    return Outcome(
        rows=[
            Row("our worker, idle: memory (RSS)", median(rss_mb[1:]), "MB", at_most(70)),
            Row("our worker: start until registered", median(starts_s[1:]), "s", at_most(0.7)),
        ],
        details={"starts_s": starts_s, "rss_mb": rss_mb, "pss_mb": pss_mb},
    )
