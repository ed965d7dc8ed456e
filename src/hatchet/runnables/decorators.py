"""Types of the decorators: they carry the input and the output of the decorated function.

A decorator is a small object with two typed ways to be called, for async and for sync functions.
Further parameters of the function are dependencies (`Annotated[T, Depends(...)]`).
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from hatchet.runnables.types import BatchMemberId

if TYPE_CHECKING:
    from hatchet.context.batch import BatchContext
    from hatchet.context.context import Context, DurableContext
    from hatchet.runnables.task import Task
    from hatchet.runnables.workflow import Standalone

TInput = TypeVar("TInput")
R = TypeVar("R")
P = ParamSpec("P")
TFnInput = TypeVar("TFnInput")

Build = Callable[[Callable[..., Any]], Any]


class _Decorator:
    def __init__(self, build: Build) -> None:
        self._build = build


class TaskDecorator(_Decorator, Generic[TInput]):
    """Turns a function into a task of a workflow."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, Context, P], Coroutine[Any, Any, R]]"
    ) -> "Task[TInput, R]": ...
    @overload
    def __call__(self, fn: "Callable[Concatenate[TInput, Context, P], R]") -> "Task[TInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class DurableTaskDecorator(_Decorator, Generic[TInput]):
    """Turns a function into a durable task of a workflow."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, DurableContext, P], Coroutine[Any, Any, R]]"
    ) -> "Task[TInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, DurableContext, P], R]"
    ) -> "Task[TInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


# What one call of a batch task returns: a result for each member, by id or in the order of inputs.
BatchResults = Mapping[BatchMemberId, R | Exception] | Sequence[R | Exception]
AsyncBatchResults = Coroutine[Any, Any, BatchResults[R]]
Inputs = dict[BatchMemberId, TInput]


class BatchTaskDecorator(_Decorator, Generic[TInput]):
    """Turns a function into a batch task of a workflow."""

    @overload
    def __call__(
        self,
        fn: "Callable[Concatenate[Inputs[TInput], BatchContext, P], AsyncBatchResults[R]]",
    ) -> "Task[TInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[Inputs[TInput], BatchContext, P], BatchResults[R]]"
    ) -> "Task[TInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class BroadcastTaskDecorator(_Decorator, Generic[TInput]):
    """Turns a function into a batch task of a workflow, with one output for all members."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[Inputs[TInput], BatchContext, P], Coroutine[Any, Any, R]]"
    ) -> "Task[TInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[Inputs[TInput], BatchContext, P], R]"
    ) -> "Task[TInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class AnyBatchDecorator(_Decorator):
    """Turns a function into a standalone batch task; the input type is that of its inputs."""

    @overload
    def __call__(
        self,
        fn: "Callable[Concatenate[Inputs[TFnInput], BatchContext, P], AsyncBatchResults[R]]",
    ) -> "Standalone[TFnInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[Inputs[TFnInput], BatchContext, P], BatchResults[R]]"
    ) -> "Standalone[TFnInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class AnyBroadcastDecorator(_Decorator):
    """Like `AnyBatchDecorator`, with one output for all members."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[Inputs[TFnInput], BatchContext, P], Coroutine[Any, Any, R]]"
    ) -> "Standalone[TFnInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[Inputs[TFnInput], BatchContext, P], R]"
    ) -> "Standalone[TFnInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class StandaloneDecorator(_Decorator, Generic[TInput]):
    """Turns a function into a standalone task with a declared input type."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, Context, P], Coroutine[Any, Any, R]]"
    ) -> "Standalone[TInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, Context, P], R]"
    ) -> "Standalone[TInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class AnyStandaloneDecorator(_Decorator):
    """Turns a function into a standalone task; the input type is that of its first parameter."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TFnInput, Context, P], Coroutine[Any, Any, R]]"
    ) -> "Standalone[TFnInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TFnInput, Context, P], R]"
    ) -> "Standalone[TFnInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class DurableStandaloneDecorator(_Decorator, Generic[TInput]):
    """Turns a function into a standalone durable task with a declared input type."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, DurableContext, P], Coroutine[Any, Any, R]]"
    ) -> "Standalone[TInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TInput, DurableContext, P], R]"
    ) -> "Standalone[TInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)


class AnyDurableStandaloneDecorator(_Decorator):
    """Like `AnyStandaloneDecorator`, for a durable task."""

    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TFnInput, DurableContext, P], Coroutine[Any, Any, R]]"
    ) -> "Standalone[TFnInput, R]": ...
    @overload
    def __call__(
        self, fn: "Callable[Concatenate[TFnInput, DurableContext, P], R]"
    ) -> "Standalone[TFnInput, R]": ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        return self._build(fn)
