"""What waits to be written to one session.

Deliveries and replies gather here while the previous frame is on its way; :meth:`Outbox.take` makes
one frame of them. Under load frames grow, under calm each holds one thing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from hatchet_engine.transports.grpc.codecs import session as codec
from hatchet_engine.transports.grpc.result_backlog import (
    ITEM_CHARACTERS,
    ResultBacklog,
    result_characters,
    task_characters,
)
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice, RunResult
from hatchet_protocol.session import EngineFrame, Error, TaskReply, Welcome, WorkerRegistered

# A frame is cut once it holds about so much; a single larger item still goes as a whole.
FRAME_CHARACTERS = 1024 * 1024
# But for results: what all tasks of a run have returned may be more than any client takes in one
# frame (64 MiB; a character is at most 4 bytes). A larger one goes in pieces, by whole tasks.
RESULT_CHARACTERS_MAX = 8 * 1024 * 1024
ID_BYTES = 18  # of one id in a reply, with its tag


TriggerReply = tuple[int, Sequence[UUID], Error | None, Mapping[int, UUID]]
NO_HOLDERS: Mapping[int, UUID] = MappingProxyType({})


class Outbox:
    """Bounded by the worker's slots (assignments), and for results by their backlog.

    ``ask_again(ids)`` subscribes once more to runs whose results were let go.
    """

    def __init__(self, ask_again: Callable[[Sequence[UUID]], None]) -> None:
        self._welcome: Welcome | None = None
        self._registered: WorkerRegistered | None = None
        self._may_assign = False
        self._assigned: deque[Assigned | AssignedBatch] = deque()
        self._cancels: deque[CancelNotice] = deque()
        self._results = ResultBacklog(ask_again)
        self._rest: RunResult | None = None  # of a result that goes in pieces
        self._trigger_replies: deque[TriggerReply] = deque()
        self._task_replies: deque[TaskReply] = deque()
        self._acked_seq = 0

    def put_welcome(self, welcome: Welcome) -> None:
        self._welcome = welcome

    def put_registered(self, answer: WorkerRegistered) -> None:
        """Assignments wait for this: a worker must know its id before it gets work."""
        self._registered = answer
        self._may_assign = self._may_assign or not answer.HasField("error")

    def put_deliveries(
        self, assigned: Sequence[Assigned | AssignedBatch], cancels: Sequence[CancelNotice]
    ) -> None:
        self._assigned.extend(assigned)
        self._cancels.extend(cancels)

    def put_results(self, results: Sequence[RunResult]) -> None:
        self._results.put(results)

    def forget_results(self, run_ids: Sequence[UUID]) -> None:
        self._results.forget(run_ids)

    def put_trigger_reply(
        self,
        request_id: int,
        run_ids: Sequence[UUID],
        error: Error | None = None,
        holders: Mapping[int, UUID] = NO_HOLDERS,
    ) -> None:
        self._trigger_replies.append((request_id, run_ids, error, holders))

    def put_task_reply(self, reply: TaskReply) -> None:
        self._task_replies.append(reply)

    def put_ack(self, seq: int) -> None:
        self._acked_seq = seq

    def take(self) -> bytes:
        """The next frame; empty when nothing waits."""
        frame = EngineFrame()
        if self._welcome is not None:
            frame.welcome.CopyFrom(self._welcome)
            self._welcome = None
        if self._registered is not None:
            frame.worker_registered.CopyFrom(self._registered)
            self._registered = None
        if self._acked_seq:
            frame.acked_seq = self._acked_seq
            self._acked_seq = 0
        size = self._add_replies(frame)
        cancels = self._cancels
        assigned = self._assigned if self._may_assign else ()
        while assigned and size < FRAME_CHARACTERS:
            one = self._assigned.popleft()
            if isinstance(one, AssignedBatch):
                codec.add_batch(frame, one)
                size += sum(map(_characters, one.members))
            else:
                codec.add_assignment(frame, one)
                size += _characters(one)
        # After the assignments: an attempt is cancelled only once the worker knows of it.
        while self._may_assign and cancels and not assigned:
            codec.add_cancellation(frame, cancels.popleft())
        self._add_results(frame, size)
        return frame.SerializeToString()

    def _add_replies(self, frame: EngineFrame) -> int:
        size = 0
        replies, task_replies = self._trigger_replies, self._task_replies
        while replies and size < FRAME_CHARACTERS:
            request_id, run_ids, error, holders = replies.popleft()
            codec.add_trigger_reply(frame, request_id, run_ids, error, holders)
            size += (len(run_ids) + len(holders) * 2 + 1) * ID_BYTES
        while task_replies:
            frame.task_replies.append(task_replies.popleft())
        return size

    def _add_results(self, frame: EngineFrame, size: int) -> None:
        results = self._results
        while size < FRAME_CHARACTERS and (self._rest is not None or results):
            result, self._rest = self._rest or results.take(), None
            if result_characters(result) > RESULT_CHARACTERS_MAX:
                result, self._rest = _split(result)
            codec.add_result(frame, result, more=self._rest is not None)
            size += result_characters(result)
            if self._rest is not None:
                break  # its next piece begins the next frame
        results.refill()


def _characters(one: Assigned) -> int:
    return len(one.input) + len(one.metadata) + len(one.context) + ITEM_CHARACTERS


def _split(result: RunResult) -> tuple[RunResult, RunResult | None]:
    """A first piece that is not too large, of one task at least, and what is left."""
    size, count = ITEM_CHARACTERS, 0
    for task in result.tasks:
        size += task_characters(task)
        if count and size > RESULT_CHARACTERS_MAX:
            break
        count += 1
    first, rest = result.tasks[:count], result.tasks[count:]
    head = RunResult(result.run_id, result.status, result.finished_ms, first)
    if not rest:
        return head, None
    return head, RunResult(result.run_id, result.status, result.finished_ms, rest)
