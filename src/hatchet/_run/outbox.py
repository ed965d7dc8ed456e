"""What waits to be written, and what was written but is not yet acknowledged.

Any thread appends; only the I/O thread takes. Wake-ups are spared: a producer wakes the writer
only when the writer sleeps, so that under load a whole batch costs one wake-up or none.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from hatchet._core.session import RunOutcome
from hatchet._run.reply import Gathering, Reply

RESEND_MAX_S = 590.0  # the engine looks back for ten minutes

TaskKey = tuple[bytes, int]  # task id, attempt


class Trigger:
    """A request to create runs, until it is answered."""

    __slots__ = (
        "count",
        "data",
        "deadline",
        "gathering",
        "holders",
        "ids",
        "request_id",
        "written_at",
    )

    def __init__(
        self, request_id: int, data: bytes, count: int, deadline: float, want_results: bool
    ) -> None:
        self.request_id = request_id
        self.data = data
        self.count = count
        self.deadline = deadline
        self.written_at: float | None = None  # when first; from then on its outcome is in doubt
        self.ids: Reply[list[bytes]] = Reply()
        # Items that were not created, and the runs that have their keys; known with the ids.
        self.holders: dict[int, bytes] = {}
        self.gathering: Gathering[RunOutcome] | None = Gathering(count) if want_results else None

    def written(self) -> None:
        """Sent, perhaps not for the first time."""
        if self.written_at is None:
            self.written_at = time.monotonic()
            self.deadline = min(self.deadline, self.written_at + RESEND_MAX_S)


class TaskCall:
    """A rare request about one running task, until it is answered."""

    __slots__ = ("data", "deadline", "reply", "request_id")

    def __init__(self, request_id: int, data: bytes, deadline: float) -> None:
        self.request_id = request_id
        self.data = data
        self.deadline = deadline
        self.reply: Reply[int] = Reply()


class Watch:
    """Interest in the results of runs."""

    __slots__ = ("deadline", "gathering", "run_ids")

    def __init__(self, run_ids: list[bytes], deadline: float) -> None:
        self.run_ids = run_ids
        self.deadline = deadline
        self.gathering: Gathering[RunOutcome] = Gathering(len(run_ids))


class Unwatch:
    __slots__ = ("gathering", "run_ids")

    def __init__(self, run_ids: list[bytes], gathering: Gathering[RunOutcome]) -> None:
        self.run_ids = run_ids
        self.gathering = gathering


class Report:
    """How an attempt ended: kept and sent again until the engine acknowledges it."""

    __slots__ = ("data", "key")

    def __init__(self, key: TaskKey, data: bytes) -> None:
        self.key = key
        self.data = data


class Join:
    """Marker: write the registration of the attached worker."""

    __slots__ = ()


class Chunk:
    """A piece of a stream: kept like a report. `size`: of its data, in bytes."""

    __slots__ = ("again", "data", "size")

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size
        self.again = False  # written before, on a stream that broke


class Lossy:
    """A log line, for one: written once, not sent again."""

    __slots__ = ("data", "is_log")

    def __init__(self, data: bytes, is_log: bool) -> None:
        self.data = data
        self.is_log = is_log


Kept = Report | Chunk
Item = bytes | Trigger | TaskCall | Watch | Unwatch | Report | Chunk | Join | Lossy


class Outbox:
    def __init__(self, loop: asyncio.AbstractEventLoop, on_wake: Callable[[], None]) -> None:
        self.items: deque[Item] = deque()
        self.unacked: deque[tuple[int, list[Kept]]] = deque()
        self._loop = loop
        self._on_wake = on_wake
        self._asleep = True

    def put(self, item: Item) -> None:
        """From any thread."""
        self.items.append(item)
        if self._asleep:
            self._asleep = False
            self._loop.call_soon_threadsafe(self._on_wake)

    def sleep(self) -> bool:
        """The writer is about to sleep. False: something arrived meanwhile, do not."""
        self._asleep = True
        if self.items:
            self._asleep = False
            return False
        return True

    def sent(self, seq: int, kept: list[Kept]) -> None:
        self.unacked.append((seq, kept))

    def acked(self, seq: int) -> list[Kept]:
        """Forget what was in all frames up to `seq`; returns it."""
        items: list[Kept] = []
        while self.unacked and self.unacked[0][0] <= seq:
            items += self.unacked.popleft()[1]
        return items

    def rewind(self) -> None:
        """The stream broke: what is unacknowledged goes to the front, in order."""
        kept = [item for _, batch in self.unacked for item in batch]
        self.unacked.clear()
        for item in kept:
            if isinstance(item, Chunk):
                item.again = True
        self.items.extendleft(reversed(kept))

    def filter(self, keep: Callable[[Item], bool]) -> None:
        """Drop what `keep` refuses. On the I/O thread; other threads may append meanwhile."""
        taken = [self.items.popleft() for _ in range(len(self.items))]
        self.items.extendleft(reversed([item for item in taken if keep(item)]))

    @property
    def settled(self) -> bool:
        """Nothing waits and nothing is unacknowledged."""
        return not self.items and not self.unacked
