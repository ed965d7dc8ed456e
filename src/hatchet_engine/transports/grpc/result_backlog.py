"""Results that wait to be written to one client, within bounds.

A client may wait for thousands of runs with megabytes each, and read slowly. Results beyond the
bound are let go; their ids are kept, and they are asked for again, a few at a time, when there is
room: they come from the table then. So nothing is lost, and memory stays bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from uuid import UUID

from hatchet_engine.turn.deliveries import RunResult, TaskResult

WAITING_CHARACTERS_MAX = 64 * 1024 * 1024
ASKED_AGAIN_AT_ONCE = 8
ITEM_CHARACTERS = 160  # of ids and names beside the payload, roughly


class ResultBacklog:
    """``ask(ids)`` subscribes to these runs once more."""

    def __init__(self, ask: Callable[[Sequence[UUID]], None]) -> None:
        self._ask = ask
        self._results: deque[RunResult] = deque()
        self._characters = 0
        self._let_go: dict[UUID, None] = {}  # ids, in order
        self._asked: set[UUID] = set()  # those on their way again

    def __bool__(self) -> bool:
        return bool(self._results)

    def put(self, results: Sequence[RunResult]) -> None:
        for result in results:
            self._asked.discard(result.run_id)
            size = result_characters(result)
            # A single one is taken whatever its size: it will not become smaller.
            if self._results and self._characters + size > WAITING_CHARACTERS_MAX:
                self._let_go[result.run_id] = None
            else:
                self._results.append(result)
                self._characters += size

    def take(self) -> RunResult:
        """The next one. Call :meth:`refill` when it is written."""
        result = self._results.popleft()
        self._characters -= result_characters(result)
        return result

    def refill(self) -> None:
        """Ask for results that were let go, if there is room for them."""
        room = ASKED_AGAIN_AT_ONCE - len(self._asked)
        if room > 0 and self._let_go and self._characters * 2 <= WAITING_CHARACTERS_MAX:
            ids = list(islice(self._let_go, room))
            for id in ids:
                del self._let_go[id]
            self._asked.update(ids)
            self._ask(ids)

    def forget(self, ids: Sequence[UUID]) -> None:
        """The client does not want these any more."""
        for id in ids:
            self._let_go.pop(id, None)
            self._asked.discard(id)


def result_characters(result: RunResult) -> int:
    """The size of a result, roughly; characters."""
    return ITEM_CHARACTERS + sum(map(task_characters, result.tasks))


def task_characters(task: TaskResult) -> int:
    return len(task.output or "") + len(task.error or "") + ITEM_CHARACTERS
