"""Follow runs: starts, ends and stream chunks, as they happen."""

from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchet._core.old_names import warn_of
from hatchet._core.session import RunEvent
from hatchet.runnables.started import raw, text

if TYPE_CHECKING:
    from hatchet._run.client import Client
    from hatchet._run.events import EventFeed

__all__ = [
    "RunEventListener",
    "RunEventListenerClient",
    "StepRunEvent",
    "StepRunEventType",
    "WorkflowRunEventType",
]

WORKFLOW_RUN = 2  # resource type of the protocol
_TYPES = (None, "STARTED", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "STREAM")


class StepRunEventType(StrEnum):
    """What happened to a task."""

    STEP_RUN_EVENT_TYPE_STARTED = "STEP_RUN_EVENT_TYPE_STARTED"
    STEP_RUN_EVENT_TYPE_COMPLETED = "STEP_RUN_EVENT_TYPE_COMPLETED"
    STEP_RUN_EVENT_TYPE_FAILED = "STEP_RUN_EVENT_TYPE_FAILED"
    STEP_RUN_EVENT_TYPE_CANCELLED = "STEP_RUN_EVENT_TYPE_CANCELLED"
    STEP_RUN_EVENT_TYPE_TIMED_OUT = "STEP_RUN_EVENT_TYPE_TIMED_OUT"
    STEP_RUN_EVENT_TYPE_STREAM = "STEP_RUN_EVENT_TYPE_STREAM"


class WorkflowRunEventType(StrEnum):
    """What happened to a run."""

    WORKFLOW_RUN_EVENT_TYPE_STARTED = "WORKFLOW_RUN_EVENT_TYPE_STARTED"
    WORKFLOW_RUN_EVENT_TYPE_COMPLETED = "WORKFLOW_RUN_EVENT_TYPE_COMPLETED"
    WORKFLOW_RUN_EVENT_TYPE_FAILED = "WORKFLOW_RUN_EVENT_TYPE_FAILED"
    WORKFLOW_RUN_EVENT_TYPE_CANCELLED = "WORKFLOW_RUN_EVENT_TYPE_CANCELLED"
    WORKFLOW_RUN_EVENT_TYPE_TIMED_OUT = "WORKFLOW_RUN_EVENT_TYPE_TIMED_OUT"


class StepRunEvent(NamedTuple):
    """One event. `payload`: the output, the error text, or the chunk.

    `resource_id` is the task (or the run, for an event of a run).
    """

    type: StepRunEventType | WorkflowRunEventType
    payload: str
    workflow_run_id: str = ""
    resource_id: str = ""


class RunEventListener:
    """Events of one run, or of all runs with a pair of metadata, for `for` and `async for`.

    The loop ends when the run has ended, or after `close()`. A broken connection is opened again;
    no chunk is doubled or lost then. Raises `HatchetCallError` (NOT_FOUND) for an unknown run,
    `EngineUnavailableError` if the engine stays away.
    """

    def __init__(
        self,
        client: "Client",
        workflow_run_id: str | None = None,
        additional_meta_kv: tuple[str, str] | None = None,
    ) -> None:
        if workflow_run_id is not None:
            workflow_run_id = text(raw(workflow_run_id))
        self._client = client
        self.workflow_run_id = workflow_run_id
        self.additional_meta_kv = additional_meta_kv
        self.stop_signal = False
        self._feed: EventFeed | None = None
        self._waiting: list[StepRunEvent] = []

    def close(self) -> None:
        """Stop listening. From any thread."""
        self.stop_signal = True
        if self._feed is not None:
            self._feed.close()

    abort = close

    def __aiter__(self) -> AsyncIterator[StepRunEvent]:
        return self._aio_events()

    def __iter__(self) -> Iterator[StepRunEvent]:
        return self._events()

    async def __anext__(self) -> StepRunEvent:
        while not self._waiting:
            events = [] if self.stop_signal else await self._open().aio_take()
            if not events:
                raise StopAsyncIteration
            self._waiting = _known(events)
        return self._waiting.pop(0)

    async def _aio_events(self) -> AsyncIterator[StepRunEvent]:
        try:
            while not self.stop_signal and (events := await self._open().aio_take()):
                for event in _known(events):
                    yield event
        finally:
            self._release()

    def _events(self) -> Iterator[StepRunEvent]:
        try:
            while not self.stop_signal and (events := self._open().take()):
                yield from _known(events)
        finally:
            self._release()

    def _open(self) -> "EventFeed":
        if self._feed is None:
            self._feed = self._client.session.subscribe_events(
                self.workflow_run_id or "", self.additional_meta_kv
            )
        return self._feed

    def _release(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()


def _known(events: list[RunEvent]) -> list[StepRunEvent]:
    """Those whose type we know: a newer engine may send others."""
    known = []
    for event in events:
        name = _TYPES[event.event_type] if event.event_type < len(_TYPES) else None
        if name is None:
            continue
        kind: StepRunEventType | WorkflowRunEventType
        if event.resource_type == WORKFLOW_RUN:
            kind = WorkflowRunEventType(f"WORKFLOW_RUN_EVENT_TYPE_{name}")
        else:
            kind = StepRunEventType(f"STEP_RUN_EVENT_TYPE_{name}")
        known.append(StepRunEvent(kind, event.payload, event.run_id, event.resource_id))
    return known


class RunEventListenerClient:
    """`hatchet.listener`: follow runs that were started anywhere."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def stream(self, workflow_run_id: str) -> RunEventListener:
        """What happens in one run, chunks of its stream from the first one on."""
        return RunEventListener(self._client, workflow_run_id=workflow_run_id)

    stream_by_run_id = stream

    def stream_by_additional_metadata(self, key: str, value: str) -> RunEventListener:
        """What happens in all runs whose metadata have this pair, until none is left.

        async for event in hatchet.listener.stream_by_additional_metadata("customer", "42"):
            print(event.workflow_run_id, event.type)
        """
        return RunEventListener(self._client, additional_meta_kv=(key, value))

    async def on(
        self, workflow_run_id: str, handler: Callable[[StepRunEvent], Any] | None = None
    ) -> None:
        """Call a function with each event until the run has ended. Deprecated."""
        warn_of("hatchet.listener.on", "async for event in hatchet.listener.stream(...)")
        async for event in self.stream(workflow_run_id):
            if handler is not None:
                handler(event)
