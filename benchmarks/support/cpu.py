"""CPU time split by group of processes, over the time of a `with` block.

meter = CpuMeter(server.cpu_groups() | {"worker": worker.cpu_s, "client": client.cpu_s})
with meter:
    ...
meter.split("bulk drain", tasks=30_000)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from benchmarks.support.rows import CpuSplit

CpuReader = Callable[[], float]


class CpuMeter:
    """Reads each group before and after; usable again and again, the last block counts."""

    def __init__(self, groups: Mapping[str, CpuReader]) -> None:
        self._groups = dict(groups)
        self._before: dict[str, float] = {}
        self._began_s = 0.0
        self.cpu_s: dict[str, float] = {}
        self.took_s = 0.0

    def __enter__(self) -> Self:
        self._before = {name: read() for name, read in self._groups.items()}
        self._began_s = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.took_s = time.perf_counter() - self._began_s
        self.cpu_s = {name: read() - self._before[name] for name, read in self._groups.items()}

    def split(self, what: str, tasks: int) -> CpuSplit:
        """What the last block has cost."""
        return CpuSplit(what, tasks, self.took_s, dict(self.cpu_s))
