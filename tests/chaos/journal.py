"""What the workers wrote down about their attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

Attempt = tuple[str, int]  # task id, number


@dataclass
class Span:
    """One attempt on one worker; `end_ns` stays None if its worker was killed."""

    task_id: str
    attempt: int
    worker: str
    start_ns: int
    end_ns: int | None = None


class Journal:
    """Reads on where it stopped before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spans: dict[Attempt, Span] = {}
        self.started = Counter[Attempt]()
        self.ended = 0
        self._file = path.open("a+b")
        self._file.seek(0)

    def close(self) -> None:
        self._file.close()

    def read(self) -> Journal:
        while line := self._file.readline():
            if not line.endswith(b"\n"):  # still being written
                self._file.seek(-len(line), 1)
                break
            what, task_id, number, worker, at_ns = line.decode().split()
            key = (task_id, int(number))
            if what == "start":
                self.started[key] += 1
                self.spans[key] = Span(task_id, int(number), worker, int(at_ns))
            else:
                self.ended += 1
                self.spans[key].end_ns = int(at_ns)
        return self

    def of_worker(self, worker: str, attempt: int) -> set[str]:
        """Tasks of which this worker has begun this attempt."""
        spans = self.read().spans.values()
        return {span.task_id for span in spans if (span.worker, span.attempt) == (worker, attempt)}

    def check(self, moved: Iterable[Attempt] = ()) -> None:
        """No attempt was begun twice, and no two attempts of a task ran at the same time, except
        those that were taken from a worker which did not know it (`moved`)."""
        twice = {key: count for key, count in self.read().started.items() if count > 1}
        assert not twice, f"attempts begun more than once: {twice}"
        spared = set(moved)
        by_task: dict[str, list[Span]] = {}
        for span in self.spans.values():
            by_task.setdefault(span.task_id, []).append(span)
        for spans in by_task.values():
            spans.sort(key=lambda span: span.attempt)
            for earlier, later in pairwise(spans):
                if (earlier.task_id, earlier.attempt) in spared:
                    continue
                assert earlier.end_ns is not None, f"{earlier} never ended, and {later} began"
                assert earlier.end_ns <= later.start_ns, f"{earlier} overlaps {later}"
