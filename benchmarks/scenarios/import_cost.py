"""What `import hatchet` costs, with the names that every program of a worker uses."""

from __future__ import annotations

import json
import subprocess

from benchmarks.support.places import PYTHON, ROOT
from benchmarks.support.processes import clean_environ
from benchmarks.support.rows import Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.statistics import median

PROGRAM = """
import json, time
began = time.perf_counter()
from hatchet import Context, EmptyModel, Hatchet
took_ms = (time.perf_counter() - began) * 1000
pages = int(open("/proc/self/statm").read().split()[1])
import os
print(json.dumps([took_ms, pages * os.sysconf("SC_PAGE_SIZE") / 1e6]))
"""


def run(scale: Scale) -> Outcome:
    figures = [_measure() for _ in range(scale.pick(11, 5) + 1)][1:]
    times_ms, sizes_mb = zip(*figures, strict=True)
    return Outcome(
        rows=[
            Row("import hatchet: time", median(times_ms), "ms", at_most(250)),
            Row("import hatchet: memory after it (RSS)", median(sizes_mb), "MB", at_most(45)),
        ],
        details={"times_ms": times_ms, "sizes_mb": sizes_mb},
    )


def _measure() -> tuple[float, float]:
    done = subprocess.run(
        [PYTHON, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=clean_environ(),
    )
    took_ms, size_mb = json.loads(done.stdout)
    return took_ms, size_mb
