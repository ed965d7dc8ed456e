"""What waits to be written to one session.

Deliveries and replies gather here while the previous frame is on its way; :meth:`Outbox.take` makes
one frame of them. Under load frames grow, under calm each holds one thing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.transports.grpc.codecs import session as codec
from hatchet_engine.turn.deliveries import Assigned, CancelNotice, RunResult
from hatchet_protocol.session import EngineFrame, Error, TaskReply, Welcome, WorkerRegistered

# A frame is cut once it holds about so much; a single larger item still goes as a whole.
FRAME_CHARACTERS = 1024 * 1024
# What may wait for a client that does not read, before its stream is ended. The client asks again
# for results, and assignments are delivered again when it resumes.
WAITING_CHARACTERS_MAX = 64 * 1024 * 1024
ITEM_CHARACTERS = 160  # of ids and names beside the payload, roughly
ID_BYTES = 18  # of one id in a reply, with its tag


class Outbox:
    """Bounded by the worker's slots (assignments) and ``WAITING_CHARACTERS_MAX`` (results)."""

    def __init__(self) -> None:
        self._welcome: Welcome | None = None
        self._registered: WorkerRegistered | None = None
        self._may_assign = False
        self._assigned: deque[Assigned] = deque()
        self._cancels: deque[CancelNotice] = deque()
        self._results: deque[RunResult] = deque()
        self._trigger_replies: deque[tuple[int, Sequence[UUID], Error | None]] = deque()
        self._task_replies: deque[TaskReply] = deque()
        self._acked_seq = 0
        self._result_characters = 0

    @property
    def overfull(self) -> bool:
        return self._result_characters > WAITING_CHARACTERS_MAX

    def put_welcome(self, welcome: Welcome) -> None:
        self._welcome = welcome

    def put_registered(self, answer: WorkerRegistered) -> None:
        """Assignments wait for this: a worker must know its id before it gets work."""
        self._registered = answer
        self._may_assign = self._may_assign or not answer.HasField("error")

    def put_deliveries(self, assigned: Sequence[Assigned], cancels: Sequence[CancelNotice]) -> None:
        self._assigned.extend(assigned)
        self._cancels.extend(cancels)

    def put_results(self, results: Sequence[RunResult]) -> None:
        self._results.extend(results)
        for result in results:
            self._result_characters += _result_characters(result)

    def put_trigger_reply(
        self, request_id: int, run_ids: Sequence[UUID], error: Error | None = None
    ) -> None:
        self._trigger_replies.append((request_id, run_ids, error))

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
            codec.add_assignment(frame, one)
            size += len(one.input) + len(one.metadata) + len(one.context) + ITEM_CHARACTERS
        # After the assignments: an attempt is cancelled only once the worker knows of it.
        while self._may_assign and cancels and not assigned:
            codec.add_cancellation(frame, cancels.popleft())
        results = self._results
        while results and size < FRAME_CHARACTERS:
            result = results.popleft()
            codec.add_result(frame, result)
            characters = _result_characters(result)
            size += characters
            self._result_characters -= characters
        return frame.SerializeToString()

    def _add_replies(self, frame: EngineFrame) -> int:
        size = 0
        replies, task_replies = self._trigger_replies, self._task_replies
        while replies and size < FRAME_CHARACTERS:
            request_id, run_ids, error = replies.popleft()
            codec.add_trigger_reply(frame, request_id, run_ids, error)
            size += len(run_ids) * ID_BYTES + ID_BYTES
        while task_replies:
            frame.task_replies.append(task_replies.popleft())
        return size


def _result_characters(result: RunResult) -> int:
    size = ITEM_CHARACTERS
    for task in result.tasks:
        size += len(task.output or "") + len(task.error or "") + ITEM_CHARACTERS
    return size
