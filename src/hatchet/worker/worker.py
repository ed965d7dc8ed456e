"""The worker: registers workflows, joins the engine, runs tasks until told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from hatchet._core.session import LabelValue, WorkerData
from hatchet._run.logs import sdk_logger
from hatchet.exceptions import LifespanSetupError, LoopAlreadyRunningError
from hatchet.runnables.forms import as_slots
from hatchet.runnables.workflow import BaseWorkflow

if TYPE_CHECKING:
    from hatchet._run.client import Client
    from hatchet._run.executor import Executor
    from hatchet._run.session import Session
    from hatchet.runnables.task import Task

__all__ = ["LifespanFn", "Worker", "WorkerStartOptions", "WorkerStatus"]

LifespanFn = Callable[[], AsyncGenerator[Any, Any]]

POOL_SIZES = {"default": 100, "durable": 1000}  # of pools that tasks need and nobody sized
REGISTER_AT_ONCE = 5
JOIN_TIMEOUT_S = 30.0
FLUSH_TIMEOUT_S = 10.0


class WorkerStatus(IntEnum):
    INITIALIZED = 1
    STARTING = 2
    HEALTHY = 3
    UNHEALTHY = 4


@dataclass
class WorkerStartOptions:
    """Has no effect; kept for programs that pass it."""

    loop: asyncio.AbstractEventLoop | None = None


class Worker:
    """Runs tasks. Made by `hatchet.worker(...)`; making one has no side effects.

        worker = hatchet.worker("greeter", workflows=[greet])
        worker.start()

    SIGTERM or SIGINT drain: no new tasks, running ones finish, then the worker leaves and
    `start()` returns. A second signal ends the process at once with exit code 1.
    """

    def __init__(
        self,
        client: "Client",
        name: str,
        slots: int | Mapping[str, int] | None = None,
        durable_slots: int | None = None,
        labels: "dict[str, str | int] | Sequence[Any] | None" = None,
        workflows: Sequence[BaseWorkflow[Any]] | None = None,
        lifespan: LifespanFn | None = None,
    ) -> None:
        if not name:
            raise ValueError("a worker needs a name")
        if durable_slots is not None and durable_slots < 1:
            raise ValueError(f"durable_slots must be at least 1, not {durable_slots}")
        self._client = client
        self._name = client.config.apply_namespace(name) or name
        self._slots = {} if slots is None else as_slots("slots", slots)
        if durable_slots is not None:
            if "durable" in self._slots:
                raise ValueError("durable_slots: slots has a pool of durable ones already")
            self._slots["durable"] = durable_slots
        self._labels = _labels(labels)
        self._lifespan = lifespan
        self._workflows: list[BaseWorkflow[Any]] = []
        self._executor: Executor | None = None
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stop_requested = False
        self._status = WorkerStatus.INITIALIZED
        self.registered = threading.Event()
        self.register_workflows(list(workflows or ()))

    @property
    def name(self) -> str:
        """Name with the namespace."""
        return self._name

    @property
    def id(self) -> str | None:
        """Id given by the engine; None before the worker has joined."""
        return (self._executor.worker_id or None) if self._executor else None

    @property
    def status(self) -> WorkerStatus:
        if self._status is WorkerStatus.HEALTHY and self._executor is not None:
            return WorkerStatus.HEALTHY if self._executor.connected else WorkerStatus.UNHEALTHY
        return self._status

    # ------------------------------------------------------------------ workflows

    def register_workflow(self, workflow: BaseWorkflow[Any]) -> None:
        """Offer the tasks of a workflow. Sent to the engine when the worker starts.

        Raises `TypeError` for something that is no workflow, `ValueError` for one without tasks
        or with a task that the worker already has.
        """
        if not isinstance(workflow, BaseWorkflow):
            raise TypeError(
                f"not a workflow or task: {workflow!r}. Pass what `hatchet.workflow(...)` or "
                "`@hatchet.task()` made."
            )
        if not workflow.tasks:
            raise ValueError(f"workflow {workflow.name!r} has no tasks")
        if workflow in self._workflows:
            return
        known = self._actions()
        for task in workflow.tasks:
            if task.action in known:
                raise ValueError(f"two tasks have the action {task.action!r}: rename one of them")
            for pool in task.slot_requests.keys() - self._slots.keys() - POOL_SIZES.keys():
                raise ValueError(
                    f"task {task.name!r} takes slots of the pool {pool!r}, which this worker does "
                    f"not have: give it some, such as slots={{'default': 100, {pool!r}: 1}}"
                )
        self._workflows.append(workflow)

    def register_workflows(self, workflows: Sequence[BaseWorkflow[Any]]) -> None:
        """`register_workflow` for each."""
        for workflow in workflows:
            self.register_workflow(workflow)

    def _actions(self) -> "dict[str, Task[Any, Any]]":
        return {task.action: task for workflow in self._workflows for task in workflow.tasks}

    def _data(self) -> WorkerData:
        tasks = self._actions()
        wanted = {pool for task in tasks.values() for pool in task.slot_requests} or {"default"}
        slots = {pool: size for pool, size in POOL_SIZES.items() if pool in wanted} | self._slots
        labels: dict[str, LabelValue] = dict(self._labels)
        labels.update(self._client.config.worker_preset_labels)
        return WorkerData(self._name, tuple(tasks), slots, labels)

    # ------------------------------------------------------------------ life

    def start(self, options: WorkerStartOptions | None = None) -> None:
        """Run until a signal or `stop()`; blocks.

        In the main thread SIGTERM and SIGINT stop it; in other threads only `stop()` does.
        Raises `LoopAlreadyRunningError` inside a running event loop (use `await aio_start()`),
        `HatchetCallError` if the engine refuses a workflow or the worker,
        `EngineUnavailableError` if it cannot be reached, `LifespanSetupError`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise LoopAlreadyRunningError(
                "an event loop runs in this thread: use `await worker.aio_start()`"
            )
        asyncio.run(self.aio_start())

    async def aio_start(self) -> None:
        """Like `start`, in the running event loop, which then runs the async tasks."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        if self._stop_requested:
            self._stop.set()
        self._status = WorkerStatus.STARTING
        try:
            with self._signals():
                async with contextlib.AsyncExitStack() as stack:
                    await self._serve(stack)
        finally:
            self._status = WorkerStatus.INITIALIZED
            self._stop_requested = False

    def stop(self) -> None:
        """Drain and leave: from any thread, once or more often. Does not wait."""
        self._stop_requested = True
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
                self._loop.call_soon_threadsafe(self._stop.set)

    async def exit_gracefully(self) -> None:
        """The same as `stop()`."""
        self.stop()

    async def _serve(self, stack: contextlib.AsyncExitStack) -> None:
        from hatchet._run.executor import Executor
        from hatchet._run.logs import capture, set_up_sdk_logger

        config = self._client.config
        set_up_sdk_logger(config.debug)
        if not self._workflows:
            raise ValueError("the worker has no workflows: pass `workflows=[...]`")
        session = self._client.session
        if session.has_worker:
            session = self._client.new_session()
            stack.callback(session.close)
        self._session = session
        executor = Executor(session, self._data(), self._actions())
        self._executor = executor
        if config.healthcheck.enabled:
            from hatchet._run.health import HealthServer

            await stack.enter_async_context(HealthServer(self, executor, config.healthcheck))
        await self._register_all()
        lifespan = await self._enter_lifespan(stack)
        executor.bind(asyncio.get_running_loop(), lifespan)
        stack.callback(executor.close)
        if not config.disable_log_capture:
            handler = capture(config.logger, executor)
            stack.callback(config.logger.removeHandler, handler)
        session.attach(executor)
        try:
            await executor.joined.aio(JOIN_TIMEOUT_S)
            self._status = WorkerStatus.HEALTHY
            self.registered.set()
            sdk_logger.info("worker %s joined as %s", self._name, executor.worker_id)
            await self._until_stop(executor)
            await self._drain(executor, session)
        except TimeoutError:
            raise session.unavailable() from None
        finally:
            self._status = WorkerStatus.UNHEALTHY
            session.detach()

    async def _until_stop(self, executor: "Executor") -> None:
        assert self._stop is not None
        limit = self._client.config.terminate_worker_after_num_tasks
        if limit is None:
            await self._stop.wait()
            return
        while executor.started_count < limit:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._stop.wait()
                    return

    async def _drain(self, executor: "Executor", session: "Session") -> None:
        """Pause, let running tasks finish, hand over the last reports, leave."""
        self._status = WorkerStatus.UNHEALTHY
        executor.pause()
        if executor.running:
            sdk_logger.info("stopping: waiting for %d running tasks", len(executor.running))
        await executor.wait_idle()
        executor.leave()
        try:
            await session.flush().aio(FLUSH_TIMEOUT_S)
        except TimeoutError:
            sdk_logger.warning("the engine did not acknowledge the last reports in time")
        sdk_logger.info("worker %s left", self._name)

    async def _register_all(self) -> None:
        """Send the declarations, a few at a time. Raises what the engine answers."""
        gate = asyncio.Semaphore(REGISTER_AT_ONCE)

        async def register(workflow: BaseWorkflow[Any]) -> None:
            message = workflow.to_proto()
            async with gate:
                await self._client.session.unary("/v1.AdminService/PutWorkflow", message)

        await asyncio.gather(*(register(workflow) for workflow in self._workflows))

    async def _enter_lifespan(self, stack: contextlib.AsyncExitStack) -> Any:
        if self._lifespan is None:
            return None
        context = contextlib.asynccontextmanager(self._lifespan)()
        try:
            value = await context.__aenter__()
        except Exception as error:
            raise LifespanSetupError(f"the lifespan failed before its yield: {error}") from error

        async def leave() -> None:
            try:
                await context.__aexit__(None, None, None)
            except Exception as error:
                raise LifespanSetupError(f"the lifespan failed after its yield: {error}") from error

        stack.push_async_callback(leave)
        return value

    @contextlib.contextmanager
    def _signals(self) -> Any:
        """SIGTERM and SIGINT drain, a second one and SIGQUIT end at once; main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        received = 0

        def handle(number: int, _: Any) -> None:
            nonlocal received
            received += 1
            force = self._client.config.force_shutdown_on_shutdown_signal
            if received > 1 or force or number == getattr(signal, "SIGQUIT", None):
                # Not SystemExit: user code, or a task of ours, could catch it.
                logging.shutdown()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(1)
            sdk_logger.info("%s: stopping (once more to force)", signal.Signals(number).name)
            self.stop()

        names = ("SIGTERM", "SIGINT", "SIGQUIT")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _labels(labels: Any) -> dict[str, LabelValue]:
    """Labels given as a dict, or as a list of `WorkerLabel`."""
    if labels is None:
        return {}
    if isinstance(labels, dict):
        return dict(labels)
    return {label.key: label.value for label in labels if label.key}
