"""One session of our SDK: a stream that carries batches both ways (protocol/proto/hatchet).

A reader takes frames apart and hands their commands to the engine without waiting for them, so
that the commands of one frame share a turn; a writer sends what has gathered in the outbox. What
the client must know of (replies, acknowledgements) is put there after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from google.protobuf.message import DecodeError

from hatchet_engine.domain.errors import Code, KeyCollision, Refused, invalid
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.codecs import session as codec
from hatchet_engine.transports.grpc.codecs.ids import id_of_bytes
from hatchet_engine.transports.grpc.codecs.labels import session_labels
from hatchet_engine.transports.grpc.codecs.texts import refuse_nul
from hatchet_engine.transports.grpc.outbox import Outbox
from hatchet_engine.transports.grpc.session_acks import FrameAcks
from hatchet_engine.transports.grpc.session_chunks import SessionChunks
from hatchet_engine.transports.grpc.session_tasks import task_command, task_reply
from hatchet_engine.transports.grpc.worker_stream import in_background
from hatchet_engine.transports.rest.versions import package_version
from hatchet_engine.turn.commands import ChangeWorker, CloseStream, Command, LeaveWorker, OpenStream
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice, RunResult
from hatchet_protocol import session

log = structlog.get_logger("hatchet.session")

HEARTBEAT_INTERVAL_MS = 4_000
HELLO_TIMEOUT_S = 10.0
FRAME_MARGIN_BYTES = 64 * 1024  # below the message limit: the client adds a little to its batches
IN_FLIGHT_MAX = 4_000  # commands of one session that wait for their commit; then reading pauses
SETTLE_S = 2.0  # a stream that ends waits so long for the commits of what it has read

INTERNAL_CODE = 13
INTERNAL_TEXT = "An internal error occurred."


class SessionStream:
    """Implements ``WorkerSession`` and ``RunSubscriber`` for one stream."""

    def __init__(self, caller: Caller, stream: Stream) -> None:
        self._caller = caller
        self._engine = caller.engine
        self._tenant_id = caller.tenant_id
        self._stream = stream
        self._outbox = Outbox(self._subscribe)
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False
        self._superseded = False
        self._error: Exception | None = None
        self._in_flight = 0
        self._hello = session.Hello()
        self._worker_id: UUID | None = None
        self._leaving = False
        self._reader: asyncio.Task[None] | None = None
        self._chunks = SessionChunks(self._engine.streams, self._tenant_id)
        self._acks = FrameAcks(
            self._tenant_id,
            self._enter,
            self._track,
            self._chunks.unstored,
            self._acked,
            self._fail,
        )

    # ------------------------------------------------------------ the engine calls these

    def deliver(
        self, assigned: Sequence[Assigned | AssignedBatch], cancels: Sequence[CancelNotice]
    ) -> None:
        self._outbox.put_deliveries(assigned, cancels)
        self._wake.set()

    def deliver_results(self, results: Sequence[RunResult]) -> None:
        self._outbox.put_results(results)
        self._wake.set()

    def close(self, reason: str) -> None:
        # After a goodbye the stream goes on without the worker: the process may still trigger.
        if not self._leaving:
            self._end()

    # ------------------------------------------------------------ life of the stream

    async def serve(self) -> None:
        """Raises ``Refused`` when the client breaks the protocol; returns when all is said."""
        self._reader = asyncio.create_task(self._read())
        self._stream.ending.on_end(self._end)
        try:
            await self._write()
        finally:
            self._reader.cancel()
            self._leave_sessions()
            self._engine.subscriptions.unsubscribe(self)
            if self._worker_id is not None:
                in_background(self._left(self._worker_id))
        if self._error is not None:
            raise self._error

    async def _greet(self) -> session.ClientFrame | None:
        """The first frame, answered with a welcome; None when the client has gone."""
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                raw = await self._stream.receive()
        except TimeoutError:
            raise invalid(f"the first frame did not come within {HELLO_TIMEOUT_S:g} s") from None
        if raw is None:
            return None
        first = _parse(raw)
        if not first.HasField("hello"):
            raise invalid("the first frame must carry hello", field="hello")
        self._hello.CopyFrom(first.hello)
        self._enter_sessions()
        self._outbox.put_welcome(self._welcome())
        self._wake.set()
        return first

    def _enter_sessions(self) -> None:
        """Take the place of an older stream of the same client. What was written to that one is
        repeated here; it must not come after its repeat."""
        if self._hello.instance:
            sessions = self._caller.sessions
            older = sessions.get(self._instance)
            sessions[self._instance] = self
            if older is not None:
                older.supersede()

    def _leave_sessions(self) -> None:
        if self._caller.sessions.get(self._instance) is self:
            del self._caller.sessions[self._instance]

    @property
    def _instance(self) -> tuple[UUID, bytes]:
        return self._tenant_id, self._hello.instance

    def supersede(self) -> None:
        self._superseded = True
        self._end()

    def _welcome(self) -> session.Welcome:
        limits = self._caller.limits
        return session.Welcome(
            tenant_id=self._tenant_id.bytes,
            engine_version=package_version(),
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            max_frame_bytes=limits.receive_bytes_max - FRAME_MARGIN_BYTES,
            max_payload_bytes=limits.payload_bytes_max,
        )

    def _end(self) -> None:
        """Read no more, answer what is under way, then return."""
        self._closed = True
        self._wake.set()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self._end()

    async def _left(self, worker_id: UUID) -> None:
        await self._engine.submit(CloseStream(self._tenant_id, worker_id, self))

    async def _write(self) -> None:
        outbox, wake, send = self._outbox, self._wake, self._stream.send
        while True:
            while data := outbox.take():
                await send(data)
            if self._closed:
                break
            wake.clear()
            await wake.wait()
            # A turn announces deliveries first and answers its commands then: one more step of
            # the loop, and both go into one frame.
            await asyncio.sleep(0)
        assert self._reader is not None
        self._reader.cancel()
        until_s = asyncio.get_running_loop().time() + SETTLE_S
        while True:
            while data := outbox.take():
                await send(data)
            if not self._in_flight or self._error is not None:
                return
            wake.clear()
            try:
                async with asyncio.timeout_at(until_s):
                    await wake.wait()
            except TimeoutError:
                return

    # ------------------------------------------------------------ frames in

    async def _read(self) -> None:
        receive = self._stream.receive
        try:
            frame = await self._greet()
            while frame is not None and not self._superseded:
                if frame.HasField("register_worker"):
                    await self._join(frame.register_worker)
                # Before the reports: these wait for what their tasks have said.
                chunks = await self._put_chunks(frame) if frame.chunks else None
                self._take(frame, chunks)
                while self._in_flight > IN_FLIGHT_MAX:
                    self._room.clear()
                    await self._room.wait()
                raw = await receive()
                frame = None if raw is None else _parse(raw)
            self._end()
        except Exception as error:
            self._fail(error)

    def _take(self, frame: session.ClientFrame, chunks: asyncio.Future[None] | None) -> None:
        """Everything of one frame enters the engine's inbox at once."""
        if self._superseded:
            return
        if self._worker_id is not None and not self._leaving:
            try:
                self._engine.heartbeat(self._tenant_id, self._worker_id)
            except Refused:
                self._end()  # the engine gave this worker up: it registers again on a new stream
                return
        if frame.reports or chunks is not None:
            self._acks.put(frame.seq, codec.reports(frame.reports), chunks)
        for request in frame.triggers:
            self._trigger(request)
        if frame.subscribe:
            self._subscribe(codec.ids(frame.subscribe, "subscribe"))
        if frame.unsubscribe:
            ids = codec.ids(frame.unsubscribe, "unsubscribe")
            self._engine.subscriptions.unsubscribe(self, ids)
            self._outbox.forget_results(ids)
        if frame.logs:
            self._engine.logs.put(self._tenant_id, codec.log_lines(frame.logs))
        for task_request in frame.task_requests:
            self._task_request(task_request)
        if frame.HasField("worker_change"):
            self._change(frame.worker_change)

    def _subscribe(self, ids: Sequence[UUID]) -> None:
        self._engine.subscriptions.subscribe(self._tenant_id, self, ids)

    async def _put_chunks(self, frame: session.ClientFrame) -> asyncio.Future[None]:
        """Hand chunks over. While their lane is full this stream is not read: the client waits."""
        putting = asyncio.ensure_future(self._chunks.put(frame.chunks))
        try:
            while not putting.done():
                await asyncio.wait({putting}, timeout=HEARTBEAT_INTERVAL_MS / 1_000)
                if not putting.done() and self._worker_id is not None:
                    # The client is alive, although what it sends is not looked at.
                    with suppress(Refused):
                        self._engine.heartbeat(self._tenant_id, self._worker_id)
        finally:
            putting.cancel()
        return await putting

    # ------------------------------------------------------------ commands

    def _enter(self, command: Command[Any], done: Callable[[asyncio.Future[Any]], None]) -> None:
        """Hand a command over; ``done`` is called after its commit, or with why not."""
        self._track(self._engine.enter(command), done)

    def _track(
        self, future: asyncio.Future[Any], done: Callable[[asyncio.Future[Any]], None]
    ) -> None:
        """Count what is under way until the future has ended and ``done`` was called with it."""
        self._in_flight += 1

        def ended(future: asyncio.Future[Any]) -> None:
            done(future)
            self._in_flight -= 1
            if self._in_flight <= IN_FLIGHT_MAX:
                self._room.set()
            self._wake.set()

        # One callback, not two: each costs a step of the loop.
        future.add_done_callback(ended)

    def _acked(self, seq: int) -> None:
        self._outbox.put_ack(seq)

    def _trigger(self, request: session.Trigger) -> None:
        request_id = request.request_id
        if not request.items:
            self._outbox.put_trigger_reply(request_id, ())
            self._wake.set()
            return
        try:
            command = codec.trigger(self._tenant_id, request, self)
        except Refused as refused:
            self._answer_trigger(request_id, refused)
            self._wake.set()
            return

        def done(future: asyncio.Future[list[UUID]]) -> None:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, KeyCollision):
                self._outbox.put_trigger_reply(request_id, error.run_ids, holders=error.holders)
            elif error is not None:
                self._answer_trigger(request_id, error)
            elif not future.cancelled():
                self._outbox.put_trigger_reply(request_id, future.result())

        self._enter(command, done)

    def _answer_trigger(self, request_id: int, error: BaseException) -> None:
        self._outbox.put_trigger_reply(request_id, (), _wire_error(error))

    def _task_request(self, request: session.TaskRequest) -> None:
        request_id = request.request_id

        def done(future: asyncio.Future[int | None]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is not None:
                reply = session.TaskReply(request_id=request_id, error=_wire_error(error))
                self._outbox.put_task_reply(reply)
            elif not future.cancelled():
                self._outbox.put_task_reply(task_reply(request_id, future.result()))

        try:
            command = task_command(self._tenant_id, request)
        except Refused as refused:
            reply = session.TaskReply(request_id=request_id, error=codec.error(refused))
            self._outbox.put_task_reply(reply)
            self._wake.set()
            return
        self._enter(command, done)

    # ------------------------------------------------------------ the worker

    async def _join(self, message: session.RegisterWorker) -> None:
        """Register or resume, open the stream, and answer; refusals leave the stream open."""
        answer = session.WorkerRegistered()
        try:
            if self._worker_id is not None and not self._leaving:
                raise Refused(
                    Code.FAILED_PRECONDITION,
                    "register_worker: this stream has a worker; open another stream for another",
                )
            worker_id = await self._resume(message)
            answer.resumed = worker_id is not None
            if worker_id is None:
                worker_id = await self._register(message)
            answer.worker_id = worker_id.bytes
        except Refused as refused:
            answer.error.CopyFrom(codec.error(refused))
        self._outbox.put_registered(answer)
        self._wake.set()

    async def _resume(self, message: session.RegisterWorker) -> UUID | None:
        """The id the worker had, when the engine still knows it."""
        if not message.resume_worker_id:
            return None
        worker_id = id_of_bytes(message.resume_worker_id, "resume_worker_id")
        try:
            await self._open(worker_id, codec.held(message))
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise
            return None
        return worker_id

    async def _register(self, message: session.RegisterWorker) -> UUID:
        command = codec.worker(self._tenant_id, message, self._hello)
        worker_id = await self._engine.submit(command)
        # By now the engine has closed the worker that left this stream before, if any.
        self._leaving = False
        await self._open(worker_id, ())
        return worker_id

    async def _open(self, worker_id: UUID, held: Sequence[tuple[UUID, int]]) -> None:
        # Known before the answer: if the stream ends meanwhile, it must be closed there too.
        self._worker_id = worker_id
        try:
            await self._engine.submit(OpenStream(self._tenant_id, worker_id, self, held))
        except Refused:
            self._worker_id = None
            raise

    def _change(self, change: session.WorkerChange) -> None:
        if self._worker_id is None:
            raise invalid("worker_change: this stream has no worker; send register_worker first")
        labels = session_labels(change.labels)
        refuse_nul(labels, "worker_change.labels")
        draining = change.paused if change.HasField("paused") else None
        if labels or draining is not None:
            self._enter(
                ChangeWorker(self._tenant_id, self._worker_id, labels, draining), _note_failure
            )
        if change.leave:
            self._leaving = True
            self._enter(LeaveWorker(self._tenant_id, self._worker_id), _note_failure)


def _parse(raw: bytes) -> session.ClientFrame:
    try:
        return session.ClientFrame.FromString(raw)
    except DecodeError as error:
        raise invalid(f"the frame can't be parsed: {error}") from None


def _wire_error(error: BaseException) -> session.Error:
    if isinstance(error, Refused):
        return codec.error(error)
    # The engine has logged it; its text is nobody's business outside.
    return session.Error(code=INTERNAL_CODE, message=INTERNAL_TEXT)


def _note_failure(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("worker_change_failed", error=str(error))
