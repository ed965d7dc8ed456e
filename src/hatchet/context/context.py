"""The second argument of every task: what it knows about its run, and what it can ask for."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson

from hatchet._core.chunks import pieces
from hatchet._core.durations import Duration, to_ms
from hatchet._core.old_names import warn_of
from hatchet._core.session import Assigned, LabelValue
from hatchet.context.current import current
from hatchet.exceptions import TaskRunError
from hatchet.runnables.started import text

if TYPE_CHECKING:
    from hatchet._run.reply import Reply
    from hatchet.runnables.task import Task

__all__ = ["Context", "DurableContext", "WorkerContext"]

R = TypeVar("R")
LONGEST_LOG_LINE = 10_000


class TaskPort(Protocol):
    """What a context needs of the worker that runs its task."""

    worker_id: str
    lifespan: Any
    loop: "asyncio.AbstractEventLoop | None"

    def labels(self) -> dict[str, LabelValue]: ...
    def upsert_labels(self, labels: Mapping[str, LabelValue]) -> None: ...
    def log(self, task_id: bytes, attempt: int, level: str, message: str) -> None: ...
    def chunk_room(self, size: int) -> bool: ...
    async def aio_chunk_room(self, size: int) -> bool: ...
    def put_chunk(self, task_id: bytes, attempt: int, index: int, data: bytes) -> None: ...
    def extend_timeout(self, task_id: bytes, by_ms: int) -> "Reply[int]": ...
    def release_slot(self, task_id: bytes) -> "Reply[int]": ...
    def pause_rate_limit(self, key: str, until: datetime) -> datetime: ...
    async def aio_pause_rate_limit(self, key: str, until: datetime) -> datetime: ...
    def cancel_self(self, task_id: bytes, attempt: int) -> None: ...
    def has_async_action(self, actions: tuple[str, ...]) -> bool: ...


class Context:
    """The run of one attempt of a task."""

    __slots__ = (
        "_assigned",
        "_cancel_event",
        "_cancel_flag",
        "_cancel_reason",
        "_cancelled",
        "_child_indices",
        "_chunk_indices",
        "_data_cache",
        "_metadata_cache",
        "_port",
        "_task",
        "_task_id",
    )

    def __init__(self, assigned: Assigned, task: "Task[Any, Any]", port: TaskPort) -> None:
        self._assigned = assigned
        self._task = task
        self._port = port
        self._task_id = assigned.task_id
        self._cancelled = False
        self._cancel_reason = ""
        self._cancel_event: asyncio.Event | None = None
        self._cancel_flag: threading.Event | None = None
        # Made at once: two threads of a task must not both begin at 0.
        self._child_indices = itertools.count()
        self._chunk_indices = itertools.count()
        self._metadata_cache: dict[str, Any] | None = None
        self._data_cache: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Context({self.task_name}, {self.task_run_id}, attempt {self.attempt_number})"

    # ------------------------------------------------------------------ who am I

    @property
    def workflow_run_id(self) -> str:
        """Id of the run this task belongs to."""
        return text(self._assigned.run_id)

    @property
    def task_run_id(self) -> str:
        """Id of this task in this run; the same for all attempts."""
        return text(self._assigned.task_id)

    step_run_id = task_run_id

    @property
    def workflow_id(self) -> str | None:
        return _id_or_none(self._assigned.workflow_id)

    @property
    def workflow_version_id(self) -> str | None:
        return _id_or_none(self._assigned.workflow_version_id)

    @property
    def workflow_name(self) -> str:
        """Name of the workflow, with the namespace."""
        return self._task._workflow.name

    @property
    def task_name(self) -> str:
        return self._task.name

    @property
    def worker_id(self) -> str:
        return self._port.worker_id

    @property
    def worker_labels(self) -> dict[str, str | int]:
        """Labels of the worker as they are now."""
        return self._port.labels()

    @property
    def worker(self) -> "WorkerContext":
        """The worker, in the older form: `ctx.worker.labels()`."""
        warn_of("ctx.worker", "ctx.worker_id and ctx.worker_labels")
        return WorkerContext(self._port)

    @property
    def retry_count(self) -> int:
        """0 for the first attempt."""
        return self._assigned.attempt

    @property
    def attempt_number(self) -> int:
        """1 for the first attempt."""
        return self._assigned.attempt + 1

    @property
    def max_attempts(self) -> int:
        """`retries` of the task, plus 1."""
        return self._task.retries + 1

    @property
    def additional_metadata(self) -> dict[str, Any]:
        """Metadata of the run, including what it inherited."""
        if self._metadata_cache is None:
            self._metadata_cache = _json_object(self._assigned.metadata)
        return self._metadata_cache

    @property
    def priority(self) -> int | None:
        return self._assigned.priority or None

    @property
    def parent_task_run_id(self) -> str | None:
        """Id of the task that spawned this run; None for a run that is no child."""
        return _id_or_none(self._assigned.parent_task_id)

    @property
    def parent_workflow_run_id(self) -> str | None:
        """Id of the run that spawned this one; None for a run that is no child."""
        if not self._assigned.parent_task_id:
            return None
        return self._metadata_id("hatchet__parent_workflow_run_id") or self.parent_task_run_id

    @property
    def child_index(self) -> int | None:
        return self._assigned.child_index

    @property
    def child_key(self) -> str | None:
        return self._assigned.child_key or None

    @property
    def lifespan(self) -> Any:
        """What the worker's lifespan function yielded."""
        return self._port.lifespan

    @property
    def input(self) -> dict[str, Any]:
        """The input as plain JSON data. Prefer the typed first argument of the task."""
        return _json_object(self._assigned.input)

    workflow_input = input

    # ------------------------------------------------------------------ what caused it

    @property
    def _data(self) -> dict[str, Any]:
        if self._data_cache is None:
            self._data_cache = _json_object(self._assigned.context)
        return self._data_cache

    @property
    def trigger_data(self) -> dict[str, Any]:
        """Data of the conditions that let this task start, and `filter_payload`."""
        return self._data.get("triggers") or {}

    @property
    def triggers(self) -> dict[str, Any]:
        """Data of the conditions of `wait_for` that were met, by `readable_data_key`.

        For an event its payload, for a sleep `{"sleep_duration": "10s"}`:

            if "order:paid" in ctx.triggers: ...
        """
        return {key: data for key, data in self.trigger_data.items() if key != "filter_payload"}

    @property
    def filter_payload(self) -> dict[str, Any]:
        """Payload of the filter that let the event through."""
        return self.trigger_data.get("filter_payload") or {}

    @property
    def triggering_event_id(self) -> str | None:
        """Id of the event that caused this run; None if none did."""
        return self._data.get("triggering_event_id") or self._metadata_id("hatchet__event_id")

    @property
    def triggering_event_key(self) -> str | None:
        """Key of the event that caused this run; None if none did."""
        return self._data.get("triggering_event_key") or self._metadata_id("hatchet__event_key")

    def _metadata_id(self, key: str) -> str | None:
        value = self.additional_metadata.get(key)
        return str(value) if value else None

    @property
    def was_triggered_by_event(self) -> bool:
        return self.triggering_event_id is not None or self._data.get("triggered_by") == "event"

    # ------------------------------------------------------------------ parents

    def task_output(self, task: "Task[Any, R]") -> R:
        """Output of a parent task, validated by its return type.

        Raises `ValueError` if the task was skipped or is no parent of this one.

            receipt = ctx.task_output(charge)  # what `charge` returned, with its type
        """
        output = self._parent_output(task)
        if _is_skipped(output):
            raise ValueError(f"task {task.name!r} was skipped: it has no output")
        return task._output_codec.read_python(output)

    def aio_task_output(self, task: "Task[Any, R]") -> R:
        """The same as `task_output`: nothing to await. For programs of the official SDK."""
        return self.task_output(task)

    def was_skipped(self, task: "Task[Any, Any]") -> bool:
        """Whether a parent task was skipped."""
        return _is_skipped(self._parents.get(task.name))

    @property
    def _parents(self) -> dict[str, Any]:
        """Outputs of the tasks before this one, by name."""
        return self._data.get("parents") or {}

    def _parent_output(self, task: "Task[Any, Any]") -> Any:
        parents = self._parents
        if task.name not in parents:
            raise ValueError(
                f"no output of task {task.name!r}: is it a parent of {self.task_name!r}?"
            )
        return parents[task.name]

    @property
    def task_run_errors(self) -> dict[str, str]:
        """Error texts of the failed tasks, by task name; for on-failure tasks."""
        return self._data.get("step_run_errors") or {}

    def get_task_run_error(self, task: "Task[Any, Any]") -> TaskRunError | None:
        """How a task of this run failed; None if it did not. For on-failure tasks."""
        error = self.task_run_errors.get(task.name)
        return None if error is None else TaskRunError.deserialize(error)

    def fetch_task_run_error(self, task: "Task[Any, Any]") -> str | None:
        """Error text of a failed task. `get_task_run_error` gives its parts."""
        return self.task_run_errors.get(task.name)

    # ------------------------------------------------------------------ cancellation

    @property
    def is_cancelled(self) -> bool:
        """Whether this attempt was cancelled. A sync task should look at it now and then."""
        return self._cancelled

    exit_flag = is_cancelled

    def done(self) -> bool:
        """The same as `is_cancelled`."""
        return self._cancelled

    @property
    def cancel_reason(self) -> str:
        """Why it was cancelled, in words of the engine; "" if it was not."""
        return self._cancel_reason

    async def wait_cancelled(self) -> None:
        """Return when this attempt is cancelled. For async tasks that want to clean up.

        An async task has one second after cancellation; then `CancelledError` is raised in it.
        """
        if self._cancel_event is None:
            self._cancel_event = asyncio.Event()
            if self._cancelled:
                self._cancel_event.set()
        await self._cancel_event.wait()

    def sleep_or_cancelled(self, seconds: float) -> bool:
        """For sync tasks: sleep, but wake up when cancelled. Returns whether it was."""
        if self._cancel_flag is None:
            self._cancel_flag = threading.Event()
            if self._cancelled:
                self._cancel_flag.set()
        return self._cancel_flag.wait(seconds)

    def _set_cancelled(self, reason: str) -> None:
        """From any thread; the awaitable event needs `_wake_cancelled` on the loop."""
        self._cancel_reason = reason
        self._cancelled = True
        if self._cancel_flag is not None:
            self._cancel_flag.set()

    def _wake_cancelled(self) -> None:
        if self._cancel_event is not None:
            self._cancel_event.set()

    def cancel(self) -> None:
        """Cancel this task. It ends as CANCELLED, whatever the function still does."""
        self._port.cancel_self(self._task_id, self.retry_count)
        self._set_cancelled("cancelled by the task itself")

    async def aio_cancel(self) -> None:
        """Like `cancel`, from async code."""
        self.cancel()
        self._wake_cancelled()

    # ------------------------------------------------------------------ logs, streams

    def log(self, line: str | Mapping[str, Any], raise_on_error: bool = False) -> None:
        """Write a line to the log of this task run, level INFO. Never waits.

        At most 10,000 characters. If lines arise faster than they can be sent, surplus lines
        are dropped with a warning (`log_queue_size`).
        """
        message = line if isinstance(line, str) else _log_text(line)
        from hatchet._run.logs import sdk_logger

        sdk_logger.info("%s", message)
        self._port.log(self._task_id, self.retry_count, "INFO", message[:LONGEST_LOG_LINE])

    async def aio_log(self, line: str | Mapping[str, Any], raise_on_error: bool = False) -> None:
        """Like `log`."""
        self.log(line, raise_on_error)

    def put_stream(self, data: str | bytes) -> None:
        """Send a chunk to whoever follows this run: `hatchet.runs.subscribe_to_stream`.

        Chunks arrive in order and each once, also when the connection breaks or the server
        restarts: they are kept and sent again until the server has stored them. The run ends, for
        those who follow it, after all of its chunks.

        Never fails the task. A worker keeps at most 8 MiB of chunks that the server has not yet
        stored; a sync task waits for room. If the server has stored nothing for 60 seconds, chunks
        that find no room are dropped, with a warning and a count (`/metrics` of the health server),
        until it is back. In async tasks use `aio_put_stream`: this method can not wait there, and
        drops what finds no room at once.

            ctx.put_stream("half of it is done")
        """
        for piece in pieces(data):
            if self._port.chunk_room(len(piece)):
                self._put_chunk(piece)

    async def aio_put_stream(self, data: str | bytes) -> None:
        """Like `put_stream`, from async code: waits while too much is on its way."""
        for piece in pieces(data):
            if await self._port.aio_chunk_room(len(piece)):
                self._put_chunk(piece)

    def _put_chunk(self, piece: bytes) -> None:
        # Only what is sent is counted: the engine would wait for what a gap stands for.
        index = next(self._chunk_indices)
        self._port.put_chunk(self._task_id, self.retry_count, index, piece)

    # ------------------------------------------------------------------ slot, timeout, labels

    def release_slot(self) -> None:
        """Give the worker's slot back; the task goes on. Raises `HatchetCallError`."""
        self._port.release_slot(self._task_id).wait()

    async def aio_release_slot(self) -> None:
        """Like `release_slot`, from async code."""
        await self._port.release_slot(self._task_id).aio()

    def refresh_timeout(self, increment_by: Duration) -> None:
        """Move the deadline of this attempt further away by `increment_by`.

        Raises `HatchetCallError` if the engine refuses, for example because the attempt is over.
        """
        self._port.extend_timeout(self._task_id, to_ms(increment_by)).wait()

    async def aio_refresh_timeout(self, increment_by: Duration) -> None:
        """Like `refresh_timeout`, from async code."""
        await self._port.extend_timeout(self._task_id, to_ms(increment_by)).aio()

    def pause_rate_limit(self, key: str, until: datetime) -> datetime:
        """Give out no units of a rate limit before a time; the time in force, in UTC.

        For an API that says "too many requests": no task that uses this limit begins before then.
        A naive time is UTC; a longer pause that is on already stays.

            if answer.status == 429:
                ctx.pause_rate_limit("mail-api", answer.retry_at)
                raise RetryAfterException("too many requests", after=answer.retry_at - now)

        Raises `HatchetCallError` or `EngineUnavailableError`. In async tasks use
        `aio_pause_rate_limit`.
        """
        return self._port.pause_rate_limit(key, until)

    async def aio_pause_rate_limit(self, key: str, until: datetime) -> datetime:
        """Like `pause_rate_limit`, from async code."""
        return await self._port.aio_pause_rate_limit(key, until)

    def upsert_worker_labels(self, labels: Mapping[str, str | int]) -> None:
        """Add or change labels of the worker that runs this task."""
        self._port.upsert_labels(labels)

    async def aio_upsert_worker_labels(self, labels: Mapping[str, str | int]) -> None:
        """Like `upsert_worker_labels`."""
        self._port.upsert_labels(labels)

    @property
    def time_left_s(self) -> float | None:
        """Seconds until the execution timeout as last set at the start; None if unknown."""
        deadline_ms = self._assigned.deadline_ms
        return deadline_ms / 1000 - time.time() if deadline_ms else None

    # ------------------------------------------------------------------ inside

    def _next_child_index(self) -> int:
        return next(self._child_indices)

    def _runs_on(self, loop: asyncio.AbstractEventLoop, actions: tuple[str, ...]) -> bool:
        return self._port.loop is loop and self._port.has_async_action(actions)

    @contextmanager
    def as_current(self) -> Iterator[None]:
        """Be the context of the running task, for `hatchet.current_context` and child runs."""
        token = current.set(self)
        try:
            yield
        finally:
            current.reset(token)


class DurableContext(Context):
    """The context of a durable task."""

    __slots__ = ()


class WorkerContext:
    """The worker of a task, in the older form of the official SDK."""

    def __init__(self, port: TaskPort) -> None:
        self._port = port

    def id(self) -> str:
        return self._port.worker_id

    def labels(self) -> dict[str, str | int]:
        return self._port.labels()

    def upsert_labels(self, labels: Mapping[str, str | int]) -> None:
        self._port.upsert_labels(labels)

    async def async_upsert_labels(self, labels: Mapping[str, str | int]) -> None:
        self._port.upsert_labels(labels)


def _id_or_none(value: bytes) -> str | None:
    return text(value) if value else None


def _json_object(source: str) -> dict[str, Any]:
    if not source:
        return {}
    value = orjson.loads(source)
    return value if isinstance(value, dict) else {}


def _is_skipped(output: Any) -> bool:
    return isinstance(output, dict) and output.get("skipped") is True


def _log_text(line: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(line).decode()
    except TypeError:
        return str(line)
