"""One task of a workflow: its declaration, and how its function is called."""

import asyncio
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from pydantic import BaseModel

from hatchet._core.annotations import decorating_scope, read_annotations
from hatchet._core.codec import Codec, EmptyModel
from hatchet._core.durations import Duration, as_timedelta, timedelta_to_expr
from hatchet._core.old_names import warn_of
from hatchet.runnables.batch import batch_types, by_member
from hatchet.runnables.dependencies import Depends, aio_call, call, find_dependencies
from hatchet.runnables.forms import as_slots
from hatchet.runnables.types import BatchConfig, BatchMemberId, StepType

if TYPE_CHECKING:
    from hatchet.conditions import Condition, OrGroup
    from hatchet.context.context import Context
    from hatchet.runnables.eviction import EvictionPolicy
    from hatchet.runnables.workflow import BaseWorkflow
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.labels import DesiredWorkerLabel
    from hatchet.types.rate_limit import RateLimit

__all__ = ["Depends", "Task", "TaskOptions"]

DEFAULT_SCHEDULE_TIMEOUT = timedelta(minutes=5)
DEFAULT_EXECUTION_TIMEOUT = timedelta(seconds=60)

TInput = TypeVar("TInput")
R = TypeVar("R")


@dataclass(kw_only=True, slots=True)
class TaskOptions:
    """What a decorator says about a task. None: not said."""

    schedule_timeout: Duration | None = None
    execution_timeout: Duration | None = None
    retries: int | None = None
    backoff_factor: float | None = None
    backoff_max_seconds: int | None = None
    parents: "list[Task[Any, Any]]" = field(default_factory=list)
    rate_limits: "list[RateLimit]" = field(default_factory=list)
    desired_worker_labels: "list[DesiredWorkerLabel]" = field(default_factory=list)
    concurrency: "list[ConcurrencyExpression]" = field(default_factory=list)
    wait_for: "list[Condition | OrGroup]" = field(default_factory=list)
    skip_if: "list[Condition | OrGroup]" = field(default_factory=list)
    cancel_if: "list[Condition | OrGroup]" = field(default_factory=list)
    slot_cost: int | Mapping[str, int] | None = None
    is_durable: bool = False
    eviction_policy: "EvictionPolicy | None" = None
    batch: BatchConfig | None = None


class MockOptions(TypedDict, total=False):
    """Keywords of `mock_run`."""

    additional_metadata: dict[str, Any] | None
    parent_outputs: dict[str, Any] | None
    retry_count: int
    lifespan: Any
    dependencies: dict[str, Any] | None


class Task(Generic[TInput, R]):
    """One task. Made by the decorators; pass it as `parents=` of another, or to `mock_run`."""

    def __init__(
        self,
        fn: Callable[..., Any],
        workflow: "BaseWorkflow[TInput]",
        name: str,
        options: TaskOptions,
        type: StepType = StepType.DEFAULT,
        input_codec: Codec[Any] | None = None,
    ) -> None:
        self._fn = fn
        self._workflow = workflow
        self._options = options
        self.name = name
        self.type = type
        self.is_async = _is_async(fn)
        output = signature_hints(fn).output
        if options.batch is not None:
            output = batch_types(fn, options.batch.broadcast_output)[1]
        self._input_codec = input_codec or workflow._input_codec
        self._output_codec: Codec[R] = Codec(output)
        self._needs = find_dependencies(fn, decorating_scope(), f"task {name!r}")
        self.schedule_timeout = _or(options.schedule_timeout, DEFAULT_SCHEDULE_TIMEOUT)
        self.execution_timeout = _or(options.execution_timeout, DEFAULT_EXECUTION_TIMEOUT)
        self.retries = options.retries or 0
        self.backoff_factor = options.backoff_factor
        self.backoff_max_seconds = options.backoff_max_seconds
        self.parents = options.parents
        self.rate_limits = options.rate_limits
        self.desired_worker_labels = options.desired_worker_labels
        self.concurrency = options.concurrency
        self._slots = as_slots(
            f"task {name!r}: slot_cost", 1 if options.slot_cost is None else options.slot_cost
        )
        self.wait_for = options.wait_for
        self.skip_if = options.skip_if
        self.cancel_if = options.cancel_if
        self.is_durable = options.is_durable
        self.eviction_policy = options.eviction_policy
        self.batch = options.batch
        self._check()

    def _check(self) -> None:
        if not _takes_two(self._fn):
            raise TypeError(f"task {self.name!r} must take (input, ctx)")
        for option in ("schedule_timeout", "execution_timeout"):
            value = getattr(self, option)
            try:
                positive = as_timedelta(value) > timedelta(0)
            except ValueError as error:
                raise ValueError(f"task {self.name!r}: {option} is {error}") from None
            except TypeError as error:
                raise TypeError(f"task {self.name!r}: {option}: {error}") from None
            if not positive:
                raise ValueError(f"task {self.name!r}: {option} must be positive, not {value}")
        if not isinstance(self.retries, int):
            raise TypeError(f"task {self.name!r}: retries must be a number, not {self.retries!r}")
        if self.retries < 0:
            raise ValueError(f"task {self.name!r}: retries must not be negative")
        lists = {"wait_for": self.wait_for, "skip_if": self.skip_if, "cancel_if": self.cancel_if}
        if any(lists.values()):
            from hatchet.conditions import check_conditions

            check_conditions(self.name, lists, self.parents)

    def _call(self, input: Any, context: "Context", loop: asyncio.AbstractEventLoop | None) -> Any:
        """Call the function of a sync task; async dependencies run on `loop`."""
        if not self._needs:
            return self._fn(input, context)
        return call(self._fn, self._needs, input, context, loop)

    async def _aio_call(self, input: Any, context: "Context") -> Any:
        """Call the function of an async task."""
        if not self._needs:
            return await self._fn(input, context)
        return await aio_call(self._fn, self._needs, input, context)

    @property
    def action(self) -> str:
        """The id under which workers offer this task."""
        return self._workflow._action_of(self.name)

    @property
    def fn(self) -> Callable[..., Any]:
        """The decorated function. Deprecated: `mock_run` calls it."""
        warn_of("task.fn", "task.mock_run or task.aio_mock_run")
        return self._fn

    @property
    def workflow(self) -> "BaseWorkflow[TInput]":
        """Where the task belongs. Deprecated."""
        warn_of("task.workflow", "the workflow itself")
        return self._workflow

    @property
    def is_async_function(self) -> bool:
        """Deprecated: the same as `is_async`."""
        warn_of("task.is_async_function", "task.is_async")
        return self.is_async

    @property
    def slot_requests(self) -> dict[str, int]:
        """Slots that one attempt takes, by pool."""
        if self.is_durable:
            return {"durable": 1}
        return self._slots

    @property
    def timeout_text(self) -> str:
        return timedelta_to_expr(self.execution_timeout)

    @property
    def schedule_timeout_text(self) -> str:
        return timedelta_to_expr(self.schedule_timeout)

    @property
    def output_validator(self) -> Any:
        """pydantic's `TypeAdapter` of the declared return type."""
        return self._output_codec.adapter

    @property
    def output_validator_type(self) -> Any:
        return self._output_codec.declared

    def mock_run(
        self,
        input: TInput | None = None,
        additional_metadata: dict[str, Any] | None = None,
        parent_outputs: dict[str, Any] | None = None,
        retry_count: int = 0,
        lifespan: Any = None,
        dependencies: dict[str, Any] | None = None,
    ) -> R:
        """Call the function of a sync task as a worker would, without an engine.

        Input is validated like on a worker; the raw return value comes back. `parent_outputs`:
        what `ctx.task_output` gives, by name of the parent. `dependencies`: the values of
        parameters marked with `Depends`; nothing is computed. Raises `TypeError` for an async
        task (use `aio_mock_run`) and for missing dependencies.

            receipt = charge.mock_run(Order(id=1), dependencies={"db": FakeDatabase()})
        """
        if self.is_async:
            raise TypeError(f"task {self.name!r} is async: use `await task.aio_mock_run(...)`")
        value, context = self._mock(
            input, additional_metadata, parent_outputs, retry_count, lifespan
        )
        with context.as_current():
            return self._of_mock(self._fn(value, context, **self._given(dependencies)), context)

    async def aio_mock_run(
        self,
        input: TInput | None = None,
        additional_metadata: dict[str, Any] | None = None,
        parent_outputs: dict[str, Any] | None = None,
        retry_count: int = 0,
        lifespan: Any = None,
        dependencies: dict[str, Any] | None = None,
    ) -> R:
        """Like `mock_run`, for an async task."""
        if not self.is_async:
            raise TypeError(f"task {self.name!r} is sync: use `task.mock_run(...)`")
        value, context = self._mock(
            input, additional_metadata, parent_outputs, retry_count, lifespan
        )
        with context.as_current():
            made = await self._fn(value, context, **self._given(dependencies))
            return self._of_mock(made, context)

    def _of_mock(self, value: Any, context: "Context") -> R:
        """What the one run of a mock got; of a batch, what its only member got."""
        if self.batch is None or self.batch.broadcast_output:
            return value  # type: ignore[no-any-return]
        (result,) = by_member([BatchMemberId(context.task_run_id)], value).values()
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]

    def _given(self, dependencies: dict[str, Any] | None) -> dict[str, Any]:
        given = dependencies or {}
        missing = [need.parameter for need in self._needs if need.parameter not in given]
        if missing:
            raise TypeError(
                f"task {self.name!r}: a mock run computes no dependencies; give "
                f"dependencies={{{', '.join(f'{name!r}: ...' for name in missing)}}}"
            )
        return given

    def _mock(
        self,
        input: Any,
        additional_metadata: dict[str, Any] | None,
        parent_outputs: dict[str, Any] | None,
        retry_count: int,
        lifespan: Any,
    ) -> "tuple[Any, Context]":
        from hatchet._core.codec import write_input
        from hatchet.context.mock import mock_context

        text = write_input(self._input_codec, input)
        context = mock_context(
            self, text, additional_metadata or {}, parent_outputs or {}, retry_count, lifespan
        )
        value = self._input_codec.read(text)
        if self.batch is not None:
            value = {BatchMemberId(context.task_run_id): value}
        return value, context


def _takes_two(fn: Callable[..., Any]) -> bool:
    """Whether a function can be called with an input and a context."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # builtins that do not tell
        return True
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(each.kind in places for each in parameters)
    return count >= 2 or any(each.kind is each.VAR_POSITIONAL for each in parameters)


class SignatureHints(typing.NamedTuple):
    input: Any
    output: Any


def signature_hints(fn: Callable[..., Any]) -> SignatureHints:
    """Types of the first parameter and of the return value; None where nothing usable is said."""
    first = first_parameter(fn)
    read = read_annotations(fn, [first, "return"], decorating_scope())
    return SignatureHints(read[first] if is_structure(read[first]) else None, read["return"])


def first_parameter(fn: Callable[..., Any]) -> str:
    """Name of the first parameter; "" if there is none, or the function does not tell."""
    try:
        return next(iter(inspect.signature(fn).parameters), "")
    except (TypeError, ValueError):
        return ""


def is_structure(hint: Any) -> bool:
    """Whether a type is a model, a dataclass, a TypedDict or a dict."""
    origin = typing.get_origin(hint) or hint
    if origin is None or hint is EmptyModel or not isinstance(origin, type):
        return False
    return issubclass(origin, (BaseModel, dict)) or is_dataclass(origin)


def _or(given: Duration | None, default: Duration) -> Duration:
    return default if given is None else given


def _is_async(fn: Callable[..., Any]) -> bool:
    call = getattr(fn, "__call__", None)  # noqa: B004 - objects with an async __call__ count
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(call)
