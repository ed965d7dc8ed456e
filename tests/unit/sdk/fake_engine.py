"""A scripted engine: a real gRPC server with just enough behaviour to test the SDK against.

It keeps runs in memory, gives them to the connected worker and hands results to subscribers.
Tests can hold it back, cut streams and look at every frame.
"""

import asyncio
import base64
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import grpc.aio

from hatchet_protocol.dispatcher import (
    GetVersionRequest,
    GetVersionResponse,
    SubscribeToWorkflowEventsRequest,
    WorkflowEvent,
)
from hatchet_protocol.events import BulkPushEventRequest, Event, Events, PushEventRequest
from hatchet_protocol.session import ClientFrame, EngineFrame
from hatchet_protocol.times import new_timestamp, timestamp_ms
from hatchet_protocol.v1_workflows import (
    CreateWorkflowVersionRequest,
    CreateWorkflowVersionResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
)
from hatchet_protocol.workflows import (
    PauseRateLimitRequest,
    PauseRateLimitResponse,
    PutRateLimitRequest,
    PutRateLimitResponse,
)

TENANT = bytes(range(16))


def make_token(host_port: str, server_url: str = "http://127.0.0.1:1") -> str:
    """A token that says where the engine is. Nobody checks its signature here."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {
        "sub": "707d0855-80ab-4e1f-a156-f1c4546cbf52",
        "server_url": server_url,
        "grpc_broadcast_address": host_port,
    }
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.sig"


class Stream:
    """One connected client."""

    def __init__(self) -> None:
        self.out: asyncio.Queue[EngineFrame | None] = asyncio.Queue()
        self.worker: Any = None
        self.worker_id = b""
        self.watched: set[bytes] = set()


class Cut:
    """In a script of events: the stream ends here, with this status (None: OK)."""

    def __init__(self, status: grpc.StatusCode | None = grpc.StatusCode.UNAVAILABLE) -> None:
        self.status = status


class FakeEngine:
    """Runs its own event loop in a thread; see `running_engine`."""

    def __init__(self) -> None:
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.frames: list[ClientFrame] = []  # every frame received, in order
        self.registrations: list[CreateWorkflowVersionRequest] = []
        self.runs: dict[bytes, Any] = {}  # run id -> trigger item
        self.results: dict[bytes, Any] = {}  # run id -> report
        self.streams: list[Stream] = []
        self.auto_ack = True
        self.auto_reply = True
        self.assign = True
        self.refuse: tuple[grpc.StatusCode, str] | None = None
        self.max_frame_bytes = 4 << 20
        self.max_payload_bytes = 4 << 20
        self.heartbeat_interval_ms = 4000
        self.on_frame: Callable[[Stream, ClientFrame], None] | None = None
        self.retries: dict[bytes, int] = {}
        self.same_run_for_key = False
        self.holders: dict[str, bytes] = {}  # inputs whose idempotency keys are taken -> run id
        self.contexts: dict[str, dict[str, Any]] = {}  # task name -> context of its assignments
        self.pushed: list[PushEventRequest] = []
        self.limits: list[PutRateLimitRequest] = []
        self.pauses: list[PauseRateLimitRequest] = []
        self.paused_until_ms = 0  # of a pause that is on
        self.bulks: list[int] = []  # events in each bulk push
        self.refuse_push: tuple[grpc.StatusCode, str] | None = None
        # What each subscription to events gets, in turn; the last script is for all later ones.
        self.event_scripts: list[list[WorkflowEvent | Cut]] = []
        self.subscriptions: list[tuple[SubscribeToWorkflowEventsRequest, str | None]] = []
        self._changed = threading.Condition()
        self._server: grpc.aio.Server | None = None
        self._round_robin = 0

    @property
    def host_port(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return make_token(self.host_port)

    # ------------------------------------------------------------------ from the test's thread

    def wait_for(self, condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        """Wait until `condition()` holds; looked at after every frame."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError("the fake engine never saw it")
            return condition()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run something on the engine's loop."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def all(self, field: str) -> list[Any]:
        """All entries of a repeated field, over all frames."""
        return [entry for frame in list(self.frames) for entry in getattr(frame, field)]

    def cut(self) -> None:
        """End all streams, as a restart would."""
        self.call(lambda: [stream.out.put_nowait(None) for stream in self.streams])

    def send(self, frame: EngineFrame) -> None:
        """Send a frame to every worker stream."""
        self.call(lambda: [s.out.put_nowait(frame) for s in self.streams if s.worker])

    async def start(self, port: int = 0) -> None:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((_Handlers(self),))
        self.port = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        if self._server is not None:
            for stream in self.streams:
                stream.out.put_nowait(None)
            await self._server.stop(0)
            self._server = None

    # ------------------------------------------------------------------ on the engine's loop

    async def connect(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        if self.refuse is not None:
            await context.abort(*self.refuse)
        stream = Stream()
        self.streams.append(stream)
        reader = asyncio.ensure_future(self._read(stream, requests))
        welcome = EngineFrame()
        welcome.welcome.tenant_id = TENANT
        welcome.welcome.engine_version = "fake"
        welcome.welcome.heartbeat_interval_ms = self.heartbeat_interval_ms
        welcome.welcome.max_frame_bytes = self.max_frame_bytes
        welcome.welcome.max_payload_bytes = self.max_payload_bytes
        try:
            yield welcome.SerializeToString()
            while (frame := await stream.out.get()) is not None:
                merged = frame
                while not stream.out.empty():
                    more = stream.out.get_nowait()
                    if more is None:
                        stream.out.put_nowait(None)
                        break
                    merged.MergeFrom(more)
                yield merged.SerializeToString()
        finally:
            reader.cancel()
            self.streams.remove(stream)

    async def push(self, request: PushEventRequest, context: Any) -> Event:
        if self.refuse_push is not None:
            await context.abort(*self.refuse_push)
        return self._stored(request)

    async def bulk_push(self, request: BulkPushEventRequest, context: Any) -> Events:
        self.bulks.append(len(request.events))
        return Events(events=[self._stored(event) for event in request.events])

    async def put_rate_limit(self, request: PutRateLimitRequest, context: Any) -> Any:
        if request.key == "refuse":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "key: is too long")
        self.limits.append(request)
        return PutRateLimitResponse()

    async def pause_rate_limit(self, request: PauseRateLimitRequest, context: Any) -> Any:
        self.pauses.append(request)
        until_ms = max(timestamp_ms(request.paused_until), self.paused_until_ms)
        return PauseRateLimitResponse(paused_until=new_timestamp(until_ms))

    def _stored(self, request: PushEventRequest) -> Event:
        self.pushed.append(request)
        event = Event(
            tenant_id="t",
            event_id=f"event-{len(self.pushed)}",
            key=request.key,
            payload=request.payload,
            additional_metadata=request.additional_metadata,
        )
        event.event_timestamp.seconds = 1_700_000_000
        return event

    async def follow(
        self, request: SubscribeToWorkflowEventsRequest, context: Any
    ) -> AsyncIterator[WorkflowEvent]:
        headers = dict(context.invocation_metadata())
        with self._changed:
            self.subscriptions.append((request, headers.get("hatchet-stream-after")))
            self._changed.notify_all()
        many = len(self.event_scripts) > 1
        script = self.event_scripts.pop(0) if many else self.event_scripts[0]
        for step in script:
            if isinstance(step, Cut):
                if step.status is not None:
                    await context.abort(step.status, "cut by the test")
                return
            yield step

    async def _read(self, stream: Stream, requests: AsyncIterator[bytes]) -> None:
        async for data in requests:
            frame = ClientFrame.FromString(data)
            self._take(stream, frame)
            with self._changed:
                self.frames.append(frame)
                self._changed.notify_all()

    def _take(self, stream: Stream, frame: ClientFrame) -> None:
        if self.on_frame is not None:
            self.on_frame(stream, frame)
        answer = EngineFrame()
        if frame.HasField("register_worker"):
            stream.worker = frame.register_worker
            resumed = bool(frame.register_worker.resume_worker_id)
            stream.worker_id = frame.register_worker.resume_worker_id or os.urandom(16)
            answer.worker_registered.worker_id = stream.worker_id
            answer.worker_registered.resumed = resumed
        stream.watched.update(frame.subscribe)
        stream.watched.difference_update(frame.unsubscribe)
        for run_id in frame.subscribe:
            if run_id in self.results:
                self._add_result(answer, run_id)
                stream.watched.discard(run_id)
        for trigger in frame.triggers if self.auto_reply else ():
            self._trigger(stream, trigger, answer)
        for report in frame.reports:
            self._report(report)
        if frame.seq and self.auto_ack:
            answer.acked_seq = frame.seq
        for request in frame.task_requests:
            answer.task_replies.add(request_id=request.request_id, timeout_at_ms=123)
        if frame.HasField("worker_change") and frame.worker_change.leave:
            stream.worker = None
        stream.out.put_nowait(answer)

    def _trigger(self, stream: Stream, trigger: Any, answer: EngineFrame) -> None:
        reply = answer.trigger_replies.add(request_id=trigger.request_id)
        unknown = [item.workflow for item in trigger.items if item.workflow.startswith("unknown")]
        if unknown:
            reply.error.code = 3
            reply.error.message = f"workflow names not found: {unknown[0]}"
            return
        for index, item in enumerate(trigger.items):
            if item.input in self.holders:
                holder = self.holders[item.input]
                reply.collisions.add(index=index, existing_run_id=holder)
                reply.run_ids.append(os.urandom(16))
                continue
            run_id = self._run_with_key(item) if self.same_run_for_key else None
            if run_id is not None:
                reply.run_ids.append(run_id)
                continue
            run_id = os.urandom(16)
            self.runs[run_id] = item
            reply.run_ids.append(run_id)
            if trigger.subscribe:
                stream.watched.add(run_id)
            if self.assign:
                self.assign_run(run_id, 0)

    def _run_with_key(self, item: Any) -> bytes | None:
        """An earlier child of the same parent with the same key."""
        wanted = (item.parent_task_id, item.child_key)
        if not all(wanted):
            return None
        runs = self.runs.items()
        return next((i for i, run in runs if (run.parent_task_id, run.child_key) == wanted), None)

    def assign_run(self, run_id: bytes, attempt: int, task_name: str = "") -> None:
        """Give a run to the first worker that has its workflow (and this task of it)."""
        item = self.runs[run_id]
        prefix = f"{item.workflow.lower()}:{task_name}"
        for stream in self.streams:
            actions = stream.worker.actions if stream.worker else ()
            action = next((name for name in actions if name.startswith(prefix)), None)
            if action is None:
                continue
            frame = EngineFrame()
            name = action.partition(":")[2]
            frame.assignments.add(
                task_id=run_id,
                run_id=run_id,
                attempt=attempt,
                action=action,
                task_name=name,
                context=json.dumps(self.contexts[name]) if name in self.contexts else "",
                input=item.input or "{}",
                metadata=item.metadata,
                priority=item.priority or 1,
                parent_task_id=item.parent_task_id,
                child_index=item.child_index if item.HasField("child_index") else None,
                child_key=item.child_key,
            )
            stream.out.put_nowait(frame)
            return

    def _report(self, report: Any) -> None:
        if report.kind == 3 and not report.should_not_retry:
            left = self.retries.get(report.task_id, 0)
            if left > 0:
                self.retries[report.task_id] = left - 1
                self.assign_run(report.task_id, report.attempt + 1)
                return
        self.results[report.task_id] = report
        answer = EngineFrame()
        self._add_result(answer, report.task_id)
        for stream in self.streams:
            if report.task_id in stream.watched:
                stream.watched.discard(report.task_id)
                stream.out.put_nowait(answer)

    def _add_result(self, answer: EngineFrame, run_id: bytes) -> None:
        report = self.results[run_id]
        result = answer.results.add(run_id=run_id, status=report.kind)
        task = result.tasks.add(task_id=run_id, status=report.kind)
        task.task_name = self.runs[run_id].workflow.lower() if run_id in self.runs else "task"
        if report.kind == 2:
            task.output = report.payload
        else:
            task.error = report.payload


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method == "/hatchet.session.v1.Session/Connect":
            return grpc.stream_stream_rpc_method_handler(self._engine.connect)
        if details.method == "/v1.AdminService/PutWorkflow":
            return grpc.unary_unary_rpc_method_handler(
                self._put_workflow,
                request_deserializer=CreateWorkflowVersionRequest.FromString,
                response_serializer=CreateWorkflowVersionResponse.SerializeToString,
            )
        if details.method == "/v1.AdminService/GetRunDetails":
            return grpc.unary_unary_rpc_method_handler(
                self._get_run_details,
                request_deserializer=GetRunDetailsRequest.FromString,
                response_serializer=GetRunDetailsResponse.SerializeToString,
            )
        if details.method == "/Dispatcher/GetVersion":
            return grpc.unary_unary_rpc_method_handler(
                self._get_version,
                request_deserializer=GetVersionRequest.FromString,
                response_serializer=GetVersionResponse.SerializeToString,
            )
        if details.method == "/WorkflowService/PutRateLimit":
            return grpc.unary_unary_rpc_method_handler(
                self._engine.put_rate_limit,
                request_deserializer=PutRateLimitRequest.FromString,
                response_serializer=PutRateLimitResponse.SerializeToString,
            )
        if details.method == "/WorkflowService/PauseRateLimit":
            return grpc.unary_unary_rpc_method_handler(
                self._engine.pause_rate_limit,
                request_deserializer=PauseRateLimitRequest.FromString,
                response_serializer=PauseRateLimitResponse.SerializeToString,
            )
        if details.method == "/EventsService/Push":
            return grpc.unary_unary_rpc_method_handler(
                self._engine.push,
                request_deserializer=PushEventRequest.FromString,
                response_serializer=Event.SerializeToString,
            )
        if details.method == "/EventsService/BulkPush":
            return grpc.unary_unary_rpc_method_handler(
                self._engine.bulk_push,
                request_deserializer=BulkPushEventRequest.FromString,
                response_serializer=Events.SerializeToString,
            )
        if details.method == "/Dispatcher/SubscribeToWorkflowEvents":
            return grpc.unary_stream_rpc_method_handler(
                self._engine.follow,
                request_deserializer=SubscribeToWorkflowEventsRequest.FromString,
                response_serializer=WorkflowEvent.SerializeToString,
            )
        return None

    async def _put_workflow(self, request: Any, context: Any) -> CreateWorkflowVersionResponse:
        if request.name.startswith("refused"):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad workflow")
        self._engine.registrations.append(request)
        return CreateWorkflowVersionResponse(id="v", workflow_id="w")

    async def _get_run_details(self, request: Any, context: Any) -> GetRunDetailsResponse:
        if UUID(request.external_id).bytes not in self._engine.runs:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such run")
        return GetRunDetailsResponse(done=False)

    async def _get_version(self, request: Any, context: Any) -> GetVersionResponse:
        return GetVersionResponse(version="v0.114.2")


@contextmanager
def running_engine() -> Iterator[FakeEngine]:
    engine = FakeEngine()
    thread = threading.Thread(target=engine.loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(engine.start(), engine.loop).result(10)
    try:
        yield engine
    finally:
        asyncio.run_coroutine_threadsafe(engine.stop(), engine.loop).result(10)
        engine.loop.call_soon_threadsafe(engine.loop.stop)
        thread.join(5)
        engine.loop.close()
