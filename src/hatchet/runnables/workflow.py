"""Workflows and standalone tasks."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, overload

from hatchet._core import outcome as outcomes
from hatchet._core.codec import Codec
from hatchet._core.session import RunOutcome
from hatchet.runnables.base import BaseWorkflow
from hatchet.runnables.config import as_list, check_call
from hatchet.runnables.forms import as_concurrency, as_labels, as_rate_limits
from hatchet.runnables.runnable import Runnable
from hatchet.runnables.task import (
    MockOptions,
    R,
    Task,
    TaskOptions,
    TInput,
)
from hatchet.runnables.types import StepType
from hatchet.workflow_run import TaskRunRef, WorkflowRunRef

if TYPE_CHECKING:
    from typing import Literal, Unpack

    from hatchet._core.durations import Duration
    from hatchet._run.client import Client
    from hatchet.conditions import Condition, OrGroup
    from hatchet.runnables.config import WorkflowConfig
    from hatchet.runnables.decorators import (
        BatchTaskDecorator,
        BroadcastTaskDecorator,
        DurableTaskDecorator,
        TaskDecorator,
    )
    from hatchet.runnables.eviction import EvictionPolicy
    from hatchet.runnables.options import BatchTaskKeywords
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.labels import DesiredWorkerLabel
    from hatchet.types.rate_limit import RateLimit

    Concurrency = int | ConcurrencyExpression | Sequence[ConcurrencyExpression]
    DesiredLabels = Sequence[DesiredWorkerLabel] | dict[str, DesiredWorkerLabel]

__all__ = ["BaseWorkflow", "Standalone", "TaskRunRef", "Workflow", "WorkflowRunRef"]


class Workflow(Runnable[TInput, dict[str, Any], WorkflowRunRef]):
    """Tasks that form a graph. Made by `hatchet.workflow(...)`.

        wf = hatchet.workflow(name="order", input_validator=Order)

        @wf.task()
        async def charge(input: Order, ctx: Context) -> Receipt: ...

        @wf.task(parents=[charge])
        async def ship(input: Order, ctx: Context) -> Parcel:
            receipt = ctx.task_output(charge)

    `run()` gives `{task name: output}`.
    """

    def _read_outcome(self, run_id: str, outcome: RunOutcome) -> dict[str, Any]:
        outcomes.check(run_id, outcome)
        return outcomes.outputs(outcome)

    def _ref(self, run_id: str) -> WorkflowRunRef:
        return WorkflowRunRef(run_id, self._client, self._async_actions())

    def task(
        self,
        name: str | None = None,
        schedule_timeout: "Duration | None" = None,
        execution_timeout: "Duration | None" = None,
        parents: Sequence[Task[Any, Any]] | None = None,
        retries: int | None = None,
        rate_limits: "Sequence[RateLimit] | None" = None,
        desired_worker_labels: "DesiredLabels | None" = None,
        backoff_factor: float | None = None,
        backoff_max_seconds: int | None = None,
        concurrency: "Concurrency | None" = None,
        wait_for: "Sequence[Condition | OrGroup] | None" = None,
        skip_if: "Sequence[Condition | OrGroup] | None" = None,
        cancel_if: "Sequence[Condition | OrGroup] | None" = None,
        slot_cost: "int | Mapping[str, int] | None" = None,
    ) -> "TaskDecorator[TInput]":
        """Add a task.

        - `name`: default: name of the function; always lower-case
        - `schedule_timeout` (5 min): how long it may wait for a worker
        - `execution_timeout` (60 s): how long one attempt may run
        - `retries` (0), `backoff_factor`, `backoff_max_seconds`: attempts after a failure; the
          n-th retry waits `backoff_factor ** n` seconds, at most `backoff_max_seconds`
        - `parents`: tasks that must complete before
        - `wait_for`, `skip_if`, `cancel_if`: further conditions, all of each list; see
          `hatchet.conditions`
        - `concurrency`, `rate_limits`, `desired_worker_labels`: where and when it may run
        - `slot_cost` (1): slots of the worker that one attempt takes; a dict for other pools than
          `default`, such as `{"gpu": 1}`

        What is not given comes from the workflow's `task_defaults`.
        """
        from hatchet.runnables.decorators import TaskDecorator

        check_call("workflow.task", name)
        options = self._task_options(
            schedule_timeout, execution_timeout, retries, backoff_factor, backoff_max_seconds
        )
        options.parents = self._parents(parents)
        options.rate_limits = as_rate_limits(rate_limits)
        options.desired_worker_labels = as_labels(desired_worker_labels)
        options.concurrency = as_concurrency(concurrency)
        options.wait_for = as_list("wait_for", wait_for)
        options.skip_if = as_list("skip_if", skip_if)
        options.cancel_if = as_list("cancel_if", cancel_if)
        options.slot_cost = slot_cost
        return TaskDecorator(lambda fn: self._add(fn, name, options))

    def durable_task(
        self,
        name: str | None = None,
        schedule_timeout: "Duration | None" = None,
        execution_timeout: "Duration | None" = None,
        parents: Sequence[Task[Any, Any]] | None = None,
        retries: int | None = None,
        rate_limits: "Sequence[RateLimit] | None" = None,
        desired_worker_labels: "DesiredLabels | None" = None,
        backoff_factor: float | None = None,
        backoff_max_seconds: int | None = None,
        concurrency: "Concurrency | None" = None,
        wait_for: "Sequence[Condition | OrGroup] | None" = None,
        skip_if: "Sequence[Condition | OrGroup] | None" = None,
        cancel_if: "Sequence[Condition | OrGroup] | None" = None,
        eviction_policy: "EvictionPolicy | None" = None,
    ) -> "DurableTaskDecorator[TInput]":
        """Add a durable task. Options as for `task`; it takes a slot of the durable pool."""
        from hatchet.runnables.decorators import DurableTaskDecorator

        check_call("workflow.durable_task", name)
        options = self._task_options(
            schedule_timeout, execution_timeout, retries, backoff_factor, backoff_max_seconds
        )
        options.parents = self._parents(parents)
        options.rate_limits = as_rate_limits(rate_limits)
        options.desired_worker_labels = as_labels(desired_worker_labels)
        options.concurrency = as_concurrency(concurrency)
        options.wait_for = as_list("wait_for", wait_for)
        options.skip_if = as_list("skip_if", skip_if)
        options.cancel_if = as_list("cancel_if", cancel_if)
        options.is_durable = True
        options.eviction_policy = eviction_policy
        return DurableTaskDecorator(lambda fn: self._add(fn, name, options))

    @overload
    def batch_task(
        self,
        name: str | None = ...,
        *,
        broadcast_output: "Literal[False]" = ...,
        **options: "Unpack[BatchTaskKeywords]",
    ) -> "BatchTaskDecorator[TInput]": ...
    @overload
    def batch_task(
        self,
        name: str | None = ...,
        *,
        broadcast_output: "Literal[True]",
        **options: "Unpack[BatchTaskKeywords]",
    ) -> "BroadcastTaskDecorator[TInput]": ...
    def batch_task(
        self,
        name: str | None = None,
        *,
        broadcast_output: bool = False,
        **options: "Unpack[BatchTaskKeywords]",
    ) -> Any:
        """Add a batch task: its function is called once for many runs. See `hatchet.batch_task`."""
        from hatchet.runnables.decorators import BatchTaskDecorator
        from hatchet.runnables.options import BatchTaskKeywords, batch_options, check_keywords

        check_call("workflow.batch_task", name)
        check_keywords("workflow.batch_task", BatchTaskKeywords, options)
        if "batch_max_size" not in options:
            raise TypeError("workflow.batch_task() needs batch_max_size=")
        rest, batch = batch_options({**options, "broadcast_output": broadcast_output})
        task = self._task_options(
            *(
                rest.get(key)
                for key in (
                    "schedule_timeout",
                    "execution_timeout",
                    "retries",
                    "backoff_factor",
                    "backoff_max_seconds",
                )
            )
        )
        task.parents = self._parents(rest.get("parents"))
        task.rate_limits = list(rest.get("rate_limits") or ())
        task.desired_worker_labels = as_labels(rest.get("desired_worker_labels"))
        task.concurrency = as_concurrency(rest.get("concurrency"))
        for key in ("wait_for", "skip_if", "cancel_if"):
            setattr(task, key, as_list(key, rest.get(key)))
        task.batch = batch
        return BatchTaskDecorator(lambda fn: self._add(fn, name, task))

    def on_failure_task(
        self,
        name: str | None = None,
        schedule_timeout: "Duration | None" = None,
        execution_timeout: "Duration | None" = None,
        retries: int = 0,
        rate_limits: "Sequence[RateLimit] | None" = None,
        backoff_factor: float | None = None,
        backoff_max_seconds: int | None = None,
        concurrency: "Concurrency | None" = None,
    ) -> "TaskDecorator[TInput]":
        """Add the task that runs when a task of the workflow has finally failed. One at most.

        `ctx.task_run_errors` tells what went wrong.

            @flow.on_failure_task()
            async def report(input: Order, ctx: Context) -> None:
                error = ctx.get_task_run_error(charge)
        """
        from hatchet.runnables.decorators import TaskDecorator

        check_call("workflow.on_failure_task", name)
        options = TaskOptions(
            schedule_timeout=schedule_timeout,
            execution_timeout=execution_timeout,
            retries=retries,
            rate_limits=as_rate_limits(rate_limits),
            backoff_factor=backoff_factor,
            backoff_max_seconds=backoff_max_seconds,
            concurrency=as_concurrency(concurrency),
        )

        def build(fn: Callable[..., Any]) -> Task[TInput, Any]:
            if self._on_failure is not None:
                raise ValueError(f"workflow {self._config.name!r} has an on_failure_task already")
            self._on_failure = self._add(fn, name, options, StepType.ON_FAILURE)
            return self._on_failure

        return TaskDecorator(build)

    def on_success_task(
        self,
        name: str | None = None,
        schedule_timeout: "Duration | None" = None,
        execution_timeout: "Duration | None" = None,
        retries: int = 0,
        rate_limits: "Sequence[RateLimit] | None" = None,
        backoff_factor: float | None = None,
        backoff_max_seconds: int | None = None,
        concurrency: "Concurrency | None" = None,
    ) -> "TaskDecorator[TInput]":
        """Add the task that runs when all others have completed. One at most.

        Its parents are the tasks that nobody else waits for: `ctx.task_output` gives theirs.
        """
        from hatchet.runnables.decorators import TaskDecorator

        check_call("workflow.on_success_task", name)
        options = TaskOptions(
            schedule_timeout=schedule_timeout,
            execution_timeout=execution_timeout,
            retries=retries,
            rate_limits=as_rate_limits(rate_limits),
            backoff_factor=backoff_factor,
            backoff_max_seconds=backoff_max_seconds,
            concurrency=as_concurrency(concurrency),
        )

        def build(fn: Callable[..., Any]) -> Task[TInput, Any]:
            if self._on_success is not None:
                raise ValueError(f"workflow {self._config.name!r} has an on_success_task already")
            self._on_success = self._add(fn, name, options, StepType.ON_SUCCESS)
            return self._on_success

        return TaskDecorator(build)

    def add_task(self, standalone: "Standalone[Any, R]") -> "Task[TInput, R]":
        """Put the task of a standalone into this workflow. It keeps its own input type.

        Returns the task, to be a parent of others and for `ctx.task_output`.
        """
        task = standalone._task
        return self._add(task._fn, task.name, task._options, codec=standalone._input_codec)

    def _task_options(
        self,
        schedule_timeout: "Duration | None",
        execution_timeout: "Duration | None",
        retries: int | None,
        backoff_factor: float | None,
        backoff_max_seconds: int | None,
    ) -> TaskOptions:
        """A value given to the task wins over the workflow's default."""
        defaults = self._config.task_defaults

        def pick(given: Any, default: Any) -> Any:
            return default if given is None else given

        return TaskOptions(
            schedule_timeout=pick(schedule_timeout, defaults.schedule_timeout),
            execution_timeout=pick(execution_timeout, defaults.execution_timeout),
            retries=pick(retries, defaults.retries),
            backoff_factor=pick(backoff_factor, defaults.backoff_factor),
            backoff_max_seconds=pick(backoff_max_seconds, defaults.backoff_max_seconds),
        )

    def _parents(self, parents: Sequence[Task[Any, Any]] | None) -> list[Task[Any, Any]]:
        given = as_list("parents", parents)
        for number, parent in enumerate(given):
            if parent not in self._tasks:
                shown = getattr(parent, "name", parent)
                raise ValueError(
                    f"parents of a task must be tasks of workflow {self._config.name!r} that were "
                    f"declared before, not {shown!r}"
                )
            if parent in given[:number]:
                raise ValueError(f"parents of a task name {parent.name!r} twice")
        return given


class Standalone(Runnable[TInput, R, TaskRunRef[TInput, R]], Generic[TInput, R]):
    """A single task that is a workflow of its own. Made by `@hatchet.task()`.

    @hatchet.task()
    async def greet(input: Name, ctx: Context) -> Greeting: ...

    greeting = greet.run(Name(name="Ada"))
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        config: "WorkflowConfig",
        client: "Client",
        codec: Codec[TInput],
        options: TaskOptions,
        output_codec: Codec[Any] | None = None,
    ) -> None:
        super().__init__(config, client, codec)
        self._task: Task[TInput, R] = self._add(fn, config.name, options)
        if output_codec is not None:
            self._task._output_codec = output_codec

    def _read_outcome(self, run_id: str, outcome: RunOutcome) -> R:
        outcomes.check(run_id, outcome)
        task = self._task
        return task._output_codec.read(outcomes.output_text(outcome, task.name))

    def _ref(self, run_id: str) -> TaskRunRef[TInput, R]:
        return TaskRunRef(run_id, self._client, self)

    def get_run_ref(self, run_id: str) -> TaskRunRef[TInput, R]:
        """A reference to an earlier run of this task."""
        return TaskRunRef(run_id, self._client, self, known=False)

    def get_result(self, run_id: str) -> R:
        """Wait for an earlier run of this task."""
        return self.get_run_ref(run_id).result()

    async def aio_get_result(self, run_id: str) -> R:
        """Like `get_result`, from async code."""
        return await self.get_run_ref(run_id).aio_result()

    @property
    def is_async_function(self) -> bool:
        return self._task.is_async

    @property
    def output_validator(self) -> Any:
        return self._task.output_validator

    @property
    def output_validator_type(self) -> Any:
        return self._task.output_validator_type

    def mock_run(self, input: TInput | None = None, **options: "Unpack[MockOptions]") -> R:
        """Call the function as a worker would, without an engine; see `Task.mock_run`."""
        return self._task.mock_run(input, **options)

    async def aio_mock_run(
        self, input: TInput | None = None, **options: "Unpack[MockOptions]"
    ) -> R:
        """Like `mock_run`, for an async task."""
        return await self._task.aio_mock_run(input, **options)
