"""What all gRPC calls on HTTP/2 streams have in common: deadlines, ends, tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from hatchet_engine.transports.http2.messages import MessageReader
from hatchet_engine.transports.http2.status import (
    INTERNAL_TEXT,
    OK_TRAILERS,
    GrpcError,
    Status,
)
from hatchet_engine.transports.http2.stream import Stream

if TYPE_CHECKING:
    from hatchet_engine.transports.http2.grpc import CallHead, GrpcApplication

log = structlog.get_logger("http2")

Metadata = Mapping[str, str]
UnaryFunction = Callable[[bytes, Metadata], Coroutine[Any, Any, bytes]]

# Never raised: an exception that is raised again and again drags all its tracebacks along.
STOPPED = GrpcError(Status.UNAVAILABLE, "the server has stopped: try again")
EXPIRED = GrpcError(Status.DEADLINE_EXCEEDED, "Deadline Exceeded")


def too_much_held() -> GrpcError:
    return GrpcError(Status.RESOURCE_EXHAUSTED, "too much waits on this connection")


def one_message() -> GrpcError:
    return GrpcError(Status.UNIMPLEMENTED, "this method takes exactly one message")


def cut_off() -> GrpcError:
    return GrpcError(Status.INTERNAL, "the request ended in the middle of a message")


class Call:
    """What both kinds have in common. One object per call, so small."""

    __slots__ = ("_app", "_begun", "_head", "_reader", "_slot", "_stream", "_task", "is_gone")

    def __init__(self, app: GrpcApplication, stream: Stream, head: CallHead) -> None:
        self._app = app
        self._stream = stream
        self._head = head
        self._reader: MessageReader | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun = False  # response headers have been sent
        self.is_gone = False  # nobody waits for an answer any more
        self._slot = -1
        if head.timeout_s is not None:
            self._slot = app.deadlines.add(self, head.timeout_s)

    # ------------------------------------------------------------ ends

    def _end(self, error: GrpcError | None) -> None:
        """Tell the client how it ended; later ends are not heard."""
        self._no_deadline()
        if self.is_gone:
            return
        self.is_gone = True
        if not self._begun:
            only = (error or GrpcError(Status.OK, "")).only_headers()
            self._stream.send_only_headers(only)
        else:
            self._stream.send_trailers(OK_TRAILERS if error is None else error.trailers())

    def _no_deadline(self) -> None:
        if self._slot >= 0:
            self._app.deadlines.discard(self, self._slot)
            self._slot = -1

    def expired(self) -> None:
        self._slot = -1
        self._give_up(EXPIRED)

    def gone(self, code: int) -> None:
        self._give_up(None)

    def stop(self) -> None:
        """The server waits no longer."""
        self._give_up(STOPPED)
        self._cancel()

    def _cancel(self) -> None:
        # A task that is cancelled before its first step does not even get to its `finally`.
        self._app.running.discard(self)
        if self._task is not None:
            self._task.cancel()

    def writable(self) -> None:
        pass

    def _give_up(self, error: GrpcError | None) -> None:
        """The end came from outside. ``error`` None: the client is not there any more."""
        if error is not None:
            self._end(error)
        else:
            self._no_deadline()
            self.is_gone = True

    # ------------------------------------------------------------ handlers

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._app.loop.create_task(work)
        self._task = task
        self._app.running.add(self)

    def _error_of(self, error: BaseException) -> GrpcError:
        """The status for what a handler raised."""
        if isinstance(error, GrpcError):
            return error
        if isinstance(error, asyncio.CancelledError):
            return STOPPED
        log.error("call_failed", method=self._head.path, exc_info=error)
        return GrpcError(Status.INTERNAL, INTERNAL_TEXT)

    def _feed(self, payload: bytes) -> MessageReader:
        reader = self._reader
        if reader is None:
            reader = MessageReader(self._app.receive_bytes_max, self._head.gzip)
            self._reader = reader
        before = reader.kept_bytes
        reader.feed(payload)
        if not self._stream.hold(reader.kept_bytes - before):
            raise too_much_held()
        return reader
