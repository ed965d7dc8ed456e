"""gRPC calls on HTTP/2 streams: one request and one answer, or messages both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from hatchet_engine.transports.http2.messages import PREFIX_BYTES, MessageReader, framed
from hatchet_engine.transports.http2.status import (
    HEAD,
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


class UnaryCall(Call):
    __slots__ = ()

    def data(self, payload: bytes, ended: bool) -> None:
        if (
            ended
            and self._reader is None
            and payload[:1] == b"\x00"
            and int.from_bytes(payload[1:PREFIX_BYTES], "big") == len(payload) - PREFIX_BYTES
            and len(payload) - PREFIX_BYTES <= self._app.receive_bytes_max
        ):
            if not self.is_gone:
                self._run(payload[PREFIX_BYTES:])
            return
        self._gather(payload, ended)

    def _gather(self, payload: bytes, ended: bool) -> None:
        if self.is_gone:
            return
        try:
            ready = self._feed(payload).ready
            if len(ready) > 1 or (ended and not ready and not self._reader_incomplete()):
                raise one_message()
            if ended and self._reader_incomplete():
                raise cut_off()
        except GrpcError as error:
            self._end(error)
            return
        if ended:
            self._stream.release_all()
            self._run(ready.popleft())
        else:
            self._stream.consumed(len(payload))

    def _reader_incomplete(self) -> bool:
        return self._reader is not None and self._reader.incomplete

    def _run(self, message: bytes) -> None:
        head = self._head
        if not head.at_once:
            self._start(self._finish(message, None))
            return
        # Most handlers return without having waited for anything, or wait for one future: their
        # first step needs no task.
        coroutine = head.unary(message, head.metadata)
        try:
            waits_for = coroutine.send(None)
        except StopIteration as stop:
            self._answer(stop.value)
        except Exception as error:
            self._end(self._error_of(error))
        else:
            self._start(self._finish(message, _Begun(coroutine, waits_for)))

    async def _finish(self, message: bytes, begun: _Begun | None) -> None:
        head = self._head
        try:
            answer = await (begun or head.unary(message, head.metadata))
        except (Exception, asyncio.CancelledError) as error:
            self._end(self._error_of(error))
        else:
            self._answer(answer)
        finally:
            self._app.running.discard(self)

    def _answer(self, message: bytes) -> None:
        if self._slot >= 0:
            self._no_deadline()
        if not self.is_gone:
            self.is_gone = True
            self._stream.send_whole(HEAD, framed(message), OK_TRAILERS)

    def _give_up(self, error: GrpcError | None) -> None:
        Call._give_up(self, error)
        self._cancel()


class _Begun:
    """Awaits a coroutine whose first step has been made outside of a task."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, bytes], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, bytes]:
        coroutine, waits_for = self._coroutine, self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(value)
        except StopIteration as stop:
            answer: bytes = stop.value
            return answer


class StreamCall(Call):
    """A call whose handler reads and writes messages, each when it likes.

    ``on_gone`` is how it learns that nobody listens any more; it should then return. One task at a
    time may receive, and one may send.
    """

    __slots__ = ("_on_gone", "_owed", "_peer_ended", "_readable", "_writable")

    def __init__(self, app: GrpcApplication, stream: Stream, head: CallHead) -> None:
        super().__init__(app, stream, head)
        self._on_gone: Callable[[], None] | None = None
        self._peer_ended = False
        self._owed = 0  # bytes that have come and were not credited to the window
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._start(self._finish())

    # ------------------------------------------------------------ for the handler

    @property
    def metadata(self) -> Metadata:
        return self._head.metadata

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call this once when the client has gone or its deadline has passed; at once if so."""
        self._on_gone = callback
        if self.is_gone:
            callback()

    async def receive(self) -> bytes | None:
        """The next message; None when the client has finished sending, or is gone."""
        while True:
            reader = self._reader
            if reader is not None and reader.ready and not self.is_gone:
                before = reader.kept_bytes
                message = reader.take()
                self._stream.release(before - reader.kept_bytes)
                if not reader.ready:
                    self._give_credit()
                return message
            if self._peer_ended or self.is_gone:
                return None
            self._readable = self._app.loop.create_future()
            await self._readable

    async def send(self, message: bytes) -> None:
        """Returns when there is room for more. To a client that is gone, nothing is sent."""
        if self.is_gone:
            return
        stream = self._stream
        if not self._begun:
            self._begun = True
            stream.send_headers(HEAD)
        stream.send_data(framed(message))
        if stream.clogged:
            self._writable = self._app.loop.create_future()
            await self._writable

    # ------------------------------------------------------------ for the stream

    def data(self, payload: bytes, ended: bool) -> None:
        if self.is_gone:
            return
        try:
            if payload:
                self._owed += len(payload)
                if not self._feed(payload).ready:
                    # A message may be larger than the window.
                    self._give_credit()
            if ended:
                self._peer_ended = True
                if self._reader is not None and self._reader.incomplete:
                    raise cut_off()
        except GrpcError as error:
            self._end(error)
            self._tell()
        _wake(self._readable)

    def _give_credit(self) -> None:
        """The handler has caught up: the client may send more."""
        self._stream.consumed(self._owed)
        self._owed = 0

    def writable(self) -> None:
        _wake(self._writable)

    def _give_up(self, error: GrpcError | None) -> None:
        if not self.is_gone:
            Call._give_up(self, error)
            self._tell()

    def _tell(self) -> None:
        """The handler shall return. It is cancelled when it does not."""
        _wake(self._readable)
        _wake(self._writable)
        if self._task is not None and not self._task.done():
            self._app.loop.call_later(self._app.peer_gone_grace_s, self._task.cancel)
        if self._on_gone is not None:
            self._on_gone()

    async def _finish(self) -> None:
        try:
            await self._head.stream(self)
        except (Exception, asyncio.CancelledError) as error:
            self._end(self._error_of(error))
        else:
            self._end(None)
        finally:
            self._app.running.discard(self)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
