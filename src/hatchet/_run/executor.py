"""Runs the attempts that the engine assigns.

Async tasks run on the user's event loop, handed over in batches with one wake-up each. Sync tasks
go from the I/O thread straight to a thread, so a blocked event loop does not hold them up. How an
attempt ended goes into the session's outbox from wherever it ended.

No timer per task: the engine watches the execution timeout and sends a cancellation.
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hatchet._core import error_text
from hatchet._core.codec import write_output
from hatchet._core.session import (
    Assigned,
    AssignedBatch,
    Cancelled,
    LabelValue,
    Registered,
    WorkerData,
)
from hatchet._run.batches import BatchAttempt
from hatchet._run.logs import DropWarning, sdk_logger
from hatchet._run.pool import ThreadPool
from hatchet._run.reply import Reply, Wakeups
from hatchet._wire import frames, rate_limits
from hatchet.context.context import Context, DurableContext
from hatchet.context.current import current
from hatchet.exceptions import (
    HatchetCallError,
    IllegalTaskOutputError,
    NonRetryableException,
    RetryAfterException,
)
from hatchet.runnables.batch import Outcome
from hatchet.runnables.started import text
from hatchet.runnables.types import BatchMemberId

if TYPE_CHECKING:
    from hatchet._run.outbox import TaskKey
    from hatchet._run.session import Session
    from hatchet.runnables.task import Task

CANCEL_GRACE_S = 1.0


class Attempt:
    """One attempt, from its assignment to its end."""

    __slots__ = ("assigned", "batch", "context", "job", "key", "started_at_ms", "task")

    def __init__(self, assigned: Assigned, task: "Task[Any, Any]", context: Context) -> None:
        self.assigned = assigned
        self.task = task
        self.context = context
        self.key: TaskKey = (assigned.task_id, assigned.attempt)
        self.job: asyncio.Task[None] | None = None
        self.started_at_ms = 0
        self.batch: BatchAttempt | None = None  # serves it, with others


class Executor:
    """The worker's side of the session, and the context's side of the worker."""

    def __init__(
        self, session: "Session", data: WorkerData, tasks: "Mapping[str, Task[Any, Any]]"
    ) -> None:
        self.data = data
        self.worker_id_bytes = b""
        self.worker_id = ""
        self.lifespan: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.joined: Reply[Registered] = Reply()
        self.connected = False
        self.running: dict[TaskKey, Attempt] = {}  # until the function has ended
        self.started_count = 0
        self.last_dispatch_lag_s = 0.0
        self._session = session
        self._tasks = {action.lower(): task for action, task in tasks.items()}
        self._held: dict[TaskKey, None] = {}  # until the engine has acknowledged the end
        self._waiting: deque[Attempt | BatchAttempt] = (
            deque()
        )  # async attempts on their way to the loop
        self._waiting_since = 0.0
        self._scheduled = False
        self._pool = ThreadPool("hatchet-task")
        self._base_context = contextvars.copy_context()
        self._drops = DropWarning("log lines", "log_queue_size")
        self._on_idle: asyncio.Event | None = None
        self._leaving = False

    # ------------------------------------------------------------------ user's loop

    def bind(self, loop: asyncio.AbstractEventLoop, lifespan: Any) -> None:
        """Run async tasks on this loop. Sync tasks see the context variables set up to now."""
        self.loop = loop
        self.lifespan = lifespan
        self._base_context = contextvars.copy_context()

    async def wait_idle(self) -> None:
        """Return when nothing runs any more."""
        self._on_idle = asyncio.Event()
        while self.running:
            self._on_idle.clear()
            await self._on_idle.wait()

    def close(self) -> None:
        self._pool.close()

    def has_async_action(self, actions: tuple[str, ...]) -> bool:
        return any(
            (task := self._tasks.get(action)) is not None and task.is_async for action in actions
        )

    def _start_waiting(self) -> None:
        """Start what was handed over. On the user's loop."""
        self._scheduled = False
        loop = self.loop
        assert loop is not None
        self.last_dispatch_lag_s = time.monotonic() - self._waiting_since
        waiting = self._waiting
        while waiting:
            attempt = waiting.popleft()
            # `running` keeps the attempt, and so the job, until its function has ended.
            if isinstance(attempt, BatchAttempt):
                attempt.job = loop.create_task(self._run_batch_async(attempt))
            else:
                attempt.job = loop.create_task(self._run_async(attempt))

    async def _run_async(self, attempt: Attempt) -> None:
        context, task = attempt.context, attempt.task
        current.set(context)
        attempt.started_at_ms = int(time.time() * 1000)
        try:
            value = await task._aio_call(task._input_codec.read(attempt.assigned.input), context)
            output = write_output(task._output_codec, value)
        except BaseException as error:
            self._failed(attempt, error)
            if isinstance(error, GeneratorExit):
                raise
        else:
            self._completed(attempt, output)

    async def _run_batch_async(self, batch: BatchAttempt) -> None:
        current.set(batch.context)
        inputs, unreadable = batch.inputs()
        self._settle(batch, unreadable)
        if not inputs:
            return
        try:
            value = await batch.task._aio_call(inputs, batch.context)
            ends = batch.outcomes(inputs, value)
        except BaseException as error:
            self._settle(batch, dict.fromkeys(inputs, error))
            if isinstance(error, GeneratorExit):
                raise
        else:
            self._settle(batch, ends)

    # ------------------------------------------------------------------ threads

    def _run_batch_sync(self, batch: BatchAttempt) -> None:
        current.set(batch.context)
        inputs, unreadable = batch.inputs()
        self._settle(batch, unreadable)
        if not inputs:
            return
        try:
            ends = batch.outcomes(inputs, batch.task._call(inputs, batch.context, self.loop))
        except BaseException as error:
            self._settle(batch, dict.fromkeys(inputs, error))
        else:
            self._settle(batch, ends)

    def _run_sync(self, attempt: Attempt) -> None:
        context, task = attempt.context, attempt.task
        current.set(context)
        attempt.started_at_ms = int(time.time() * 1000)
        try:
            input = task._input_codec.read(attempt.assigned.input)
            value = task._call(input, context, self.loop)
            output = write_output(task._output_codec, value)
        except BaseException as error:
            self._failed(attempt, error)
        else:
            self._completed(attempt, output)

    # ------------------------------------------------------------------ ends, any thread

    def _settle(self, batch: BatchAttempt, ends: Mapping[BatchMemberId, Outcome]) -> None:
        """Report how members of a batch have ended. One error of several is logged once."""
        logged: BaseException | None = None
        for id, end in ends.items():
            member = batch.members[id]
            if isinstance(end, str):
                self._completed(member, end)
            else:
                self._failed(member, end, logged=end is logged)
                logged = end

    def _completed(self, attempt: Attempt, output: str) -> None:
        limit = self._session.welcome.max_payload_bytes if self._session.welcome else 0
        if limit and len(output) > limit // 4 and len(output.encode()) > limit:
            error = IllegalTaskOutputError(
                f"the output takes {len(output.encode()):,} bytes; the engine stores at most "
                f"{limit:,}. Store large data elsewhere and return a reference."
            )
            self._failed(attempt, error)
            return
        if not attempt.context._cancelled:
            assigned = attempt.assigned
            data = frames.report(
                assigned.task_id,
                assigned.attempt,
                frames.REPORT_COMPLETED,
                output,
                attempt.started_at_ms,
            )
            self._session.report(attempt.key, data)
        self._ended(attempt)

    def _failed(self, attempt: Attempt, error: BaseException, logged: bool = False) -> None:
        if attempt.context._cancelled:  # the engine knows; whatever happens now is dropped
            self._ended(attempt)
            return
        assigned, task = attempt.assigned, attempt.task
        final = isinstance(error, NonRetryableException)
        retry_after_ms = error.after_ms if isinstance(error, RetryAfterException) else None
        if logged:
            pass
        elif final or assigned.attempt >= task.retries:
            sdk_logger.error(
                "task %s failed (%s)", task.action, text(assigned.task_id), exc_info=error
            )
        else:
            sdk_logger.info("task %s failed and will be retried: %r", task.action, error)
        data = frames.report(
            assigned.task_id,
            assigned.attempt,
            frames.REPORT_FAILED,
            error_text.write_exception(error, text(assigned.task_id)),
            attempt.started_at_ms,
            should_not_retry=final,
            retry_after_ms=retry_after_ms,
        )
        self._session.report(attempt.key, data)
        self._ended(attempt)

    def _ended(self, attempt: Attempt) -> None:
        self.running.pop(attempt.key, None)
        if attempt.context._cancelled:
            self._held.pop(attempt.key, None)
        if self._on_idle is not None and not self.running and self.loop is not None:
            self.loop.call_soon_threadsafe(self._on_idle.set)

    # ------------------------------------------------------------------ I/O thread (WorkerPort)

    def held(self) -> "list[TaskKey]":
        return list(self._held)

    def acknowledged(self, keys: "list[TaskKey]") -> None:
        for key in keys:
            self._held.pop(key, None)

    def registered(self, answer: Registered, wakeups: Wakeups) -> None:
        if answer.error is not None:
            from hatchet._wire.channel import status_name

            error = HatchetCallError(status_name(answer.error.code), answer.error.message)
            if self.joined.done:
                sdk_logger.error("the engine refused this worker: %s", error)
            self.joined.settle(wakeups, error=error)
            return
        if self.worker_id_bytes:
            sdk_logger.info("connected again as worker %s", text(answer.worker_id))
        self.worker_id_bytes = answer.worker_id
        self.worker_id = text(answer.worker_id)
        self.connected = True
        self.joined.settle(wakeups, answer)

    def refused(self, error: Exception, wakeups: Wakeups) -> None:
        self.joined.settle(wakeups, error=error)

    def disconnected(self) -> None:
        self.connected = False

    def deliver(self, assignments: list[Assigned], batches: Sequence[AssignedBatch] = ()) -> None:
        if self._leaving:  # the engine gives them to others when it reads our goodbye
            return
        loop = self.loop
        any_async = False
        for assigned in assignments:
            key = (assigned.task_id, assigned.attempt)
            if key in self._held:  # a repeat after a reconnect
                continue
            task = self._tasks.get(assigned.action.lower())
            if task is None:
                self._unknown(assigned)
                continue
            kind = DurableContext if task.is_durable else Context
            attempt = Attempt(assigned, task, kind(assigned, task, self))
            self._began(attempt)
            if task.is_async:
                self._waiting.append(attempt)
                any_async = True
            else:
                context = self._base_context.copy()
                self._pool.run(lambda c=context, a=attempt: c.run(self._run_sync, a))  # type: ignore[misc]
        for batch in batches:
            any_async |= self._deliver_batch(batch)
        if any_async and not self._scheduled and loop is not None:
            self._scheduled = True
            self._waiting_since = time.monotonic()
            loop.call_soon_threadsafe(self._start_waiting)

    def _began(self, attempt: Attempt) -> None:
        self._held[attempt.key] = None
        self.running[attempt.key] = attempt
        self.started_count += 1

    def _deliver_batch(self, assigned: AssignedBatch) -> bool:
        """Whether it is to be started on the loop."""
        members = [one for one in assigned.members if (one.task_id, one.attempt) not in self._held]
        task = self._tasks.get(assigned.action.lower())
        if task is None or task.batch is None:
            for one in members:
                self._unknown(one)
            return False
        if not members:  # a repeat after a reconnect
            return False
        attempts = [Attempt(one, task, Context(one, task, self)) for one in members]
        for attempt in attempts:
            self._began(attempt)
        batch = BatchAttempt(assigned, task, attempts, self)
        if task.is_async:
            self._waiting.append(batch)
        else:
            context = self._base_context.copy()
            self._pool.run(lambda: context.run(self._run_batch_sync, batch))
        return task.is_async

    def _unknown(self, assigned: Assigned) -> None:
        message = f"worker {self.data.name!r} has no task for action {assigned.action!r}"
        sdk_logger.error(message)
        data = frames.report(assigned.task_id, assigned.attempt, frames.REPORT_FAILED, message, 0)
        self._session.report((assigned.task_id, assigned.attempt), data)

    def cancel(self, cancellations: Iterable[Cancelled]) -> None:
        loop = self.loop
        for cancelled in cancellations:
            attempt = self.running.get((cancelled.task_id, cancelled.attempt))
            if attempt is None or loop is None:
                continue
            attempt.context._set_cancelled(cancelled.reason)
            batch = attempt.batch
            if batch is None:
                loop.call_soon_threadsafe(self._cancel_on_loop, attempt)
                continue
            loop.call_soon_threadsafe(attempt.context._wake_cancelled)
            if batch.context._member_cancelled(cancelled.reason):
                loop.call_soon_threadsafe(self._cancel_on_loop, batch)

    def _cancel_on_loop(self, attempt: Attempt | BatchAttempt) -> None:
        attempt.context._wake_cancelled()
        if attempt.task.is_async and self.loop is not None:
            self.loop.call_later(CANCEL_GRACE_S, self._cancel_job, attempt)
        else:
            sdk_logger.warning(
                "task %s was cancelled (%s); its thread goes on until it looks at ctx.is_cancelled",
                attempt.task.action,
                attempt.context.cancel_reason,
            )

    def _cancel_job(self, attempt: Attempt | BatchAttempt) -> None:
        if attempt.job is not None and not attempt.job.done():
            attempt.job.cancel(attempt.context.cancel_reason or None)

    # ------------------------------------------------------------------ any thread (TaskPort)

    def labels(self) -> dict[str, LabelValue]:
        return dict(self.data.labels)

    def upsert_labels(self, labels: Mapping[str, LabelValue]) -> None:
        self.data.labels.update(labels)
        self._session.send(frames.worker_change(labels=labels))

    def log(self, task_id: bytes, attempt: int, level: str, message: str, at_ms: int = 0) -> None:
        at_ms = at_ms or int(time.time() * 1000)
        if message and not self._session.send_log(
            frames.log_line(task_id, attempt, at_ms, level, message.replace("\0", ""))
        ):
            self._drops.count()

    def chunk_room(self, size: int) -> bool:
        return self._session.chunks.enter(size)

    async def aio_chunk_room(self, size: int) -> bool:
        return await self._session.chunks.aio_enter(size)

    @property
    def chunks_dropped(self) -> int:
        return self._session.chunks.dropped

    def put_chunk(self, task_id: bytes, attempt: int, index: int, data: bytes) -> None:
        frame = frames.stream_chunk(task_id, attempt, index, data)
        self._session.put_chunk(frame, len(data))

    def extend_timeout(self, task_id: bytes, by_ms: int) -> Reply[int]:
        return self._session.extend_timeout(task_id, by_ms)

    def release_slot(self, task_id: bytes) -> Reply[int]:
        return self._session.release_slot(task_id)

    def pause_rate_limit(self, key: str, until: datetime) -> datetime:
        request = rate_limits.pause_request(key, until)
        return rate_limits.paused_until(self._session.unary_sync(rate_limits.PAUSE_PATH, request))

    async def aio_pause_rate_limit(self, key: str, until: datetime) -> datetime:
        request = rate_limits.pause_request(key, until)
        return rate_limits.paused_until(await self._session.unary(rate_limits.PAUSE_PATH, request))

    def cancel_self(self, task_id: bytes, attempt: int) -> None:
        data = frames.report(task_id, attempt, frames.REPORT_CANCELLED, "", 0)
        self._session.report((task_id, attempt), data)

    # ------------------------------------------------------------------ worker

    def pause(self) -> None:
        """Ask for no new tasks."""
        self._session.send(frames.worker_change(paused=True))

    def leave(self) -> None:
        """Say goodbye, after the last report."""
        self._leaving = True
        self._session.send(frames.worker_change(leave=True))
