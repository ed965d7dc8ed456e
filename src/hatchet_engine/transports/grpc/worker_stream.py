"""The engine's end of one official worker's stream (Listen, ListenV2)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import structlog

from hatchet_engine.domain.errors import Refused
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.codecs.actions import (
    batch_action,
    cancel_action,
    start_action,
)
from hatchet_engine.turn.commands import (
    CloseStream,
    OpenStream,
    Report,
    ReportKind,
    ReportTasks,
)
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice
from hatchet_protocol.dispatcher import AssignedAction

log = structlog.get_logger("hatchet.grpc")

_background: set[asyncio.Task[None]] = set()


class WorkerStream:
    """Implements ``WorkerSession``: takes deliveries without waiting, writes them one by one.

    What waits here is bounded by the worker's slots: the engine assigns no more than those.
    """

    def __init__(self, caller: Caller, worker_id: UUID, stream: Stream) -> None:
        self._caller = caller
        self._worker_id = worker_id
        self._stream = stream
        self._queue: deque[Assigned | AssignedBatch | CancelNotice] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    # ------------------------------------------------------------ WorkerSession

    def deliver(
        self, assigned: Sequence[Assigned | AssignedBatch], cancels: Sequence[CancelNotice]
    ) -> None:
        self._queue.extend(assigned)
        self._queue.extend(cancels)
        self._wake.set()

    def close(self, reason: str) -> None:
        self._closed = True
        self._wake.set()

    # ------------------------------------------------------------ handler

    async def serve(self) -> None:
        """Open the stream in the engine, write until its end, and close it there, whatever
        ended it. Raises ``Refused`` NOT_FOUND for an unknown worker."""
        tenant_id, engine = self._caller.tenant_id, self._caller.engine
        self._stream.ending.on_end(lambda: self.close("the server ends this stream"))
        try:
            await engine.submit(OpenStream(tenant_id, self._worker_id, self))
            await self._write()
        finally:
            # Not awaited here: this may run while gRPC cancels the handler.
            in_background(self._left())

    async def _write(self) -> None:
        queue, wake, send = self._queue, self._wake, self._stream.send
        size_max = self._caller.limits.send_bytes_max
        while True:
            while queue:
                entry = queue.popleft()
                if isinstance(entry, CancelNotice):
                    data = cancel_action(entry).SerializeToString()
                else:
                    data = _start(entry).SerializeToString()
                    if len(data) > size_max:
                        in_background(self._too_large(entry, len(data)))
                        continue
                await send(data)
            if self._closed:
                return
            wake.clear()
            await wake.wait()

    async def _left(self) -> None:
        await self._caller.engine.submit(CloseStream(self._caller.tenant_id, self._worker_id, self))

    async def _too_large(self, entry: Assigned | AssignedBatch, size: int) -> None:
        """Fail the task, or those of a batch: the client would refuse the message and lose its
        stream over it."""
        limit = self._caller.limits.send_bytes_max
        text = (
            f"The task's start message is {size} bytes long, the limit is {limit}: store large "
            "data elsewhere and pass a reference."
        )
        reports = [
            Report(one.task_id, one.attempt, ReportKind.FAILED, text, should_not_retry=True)
            for one in (entry.members if isinstance(entry, AssignedBatch) else (entry,))
        ]
        await self._caller.engine.submit(ReportTasks(entry.tenant_id, reports))


def _start(entry: Assigned | AssignedBatch) -> AssignedAction:
    return batch_action(entry) if isinstance(entry, AssignedBatch) else start_action(entry)


def in_background(coroutine: object) -> None:
    """Run a goodbye that must happen although its caller goes away."""
    task: asyncio.Task[None] = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
    _background.add(task)
    task.add_done_callback(_finished)


def _finished(task: asyncio.Task[None]) -> None:
    _background.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    # A refusal means that the engine is stopping or has lost its database: it finds out itself.
    if error is not None and not isinstance(error, Refused):
        log.error("background_call_failed", exc_info=error)
