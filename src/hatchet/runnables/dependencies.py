"""Parameters of a task that are computed for each attempt.

    async def connection(input: Order, ctx: Context) -> AsyncIterator[Connection]:
        async with pool.acquire() as connection:
            yield connection

    @hatchet.task()
    async def charge(
        input: Order, ctx: Context, db: Annotated[Connection, Depends(connection)]
    ) -> Receipt: ...

A dependency may be sync or async, return a value, return a context manager, or be a generator
that yields once; what follows the `yield` runs when the task has ended, in reverse order, and
sees the task's exception. Dependencies may have dependencies. Nothing is shared between two
parameters: the same function used twice runs twice.
"""

import asyncio
import contextlib
import contextvars
import inspect
import typing
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchet._core.annotations import read_annotations
from hatchet.exceptions import InvalidDependencyError

if TYPE_CHECKING:
    from hatchet.context.context import Context

__all__ = ["Dependency", "Depends", "aio_call", "call", "find_dependencies"]


class Depends:
    """Marks a parameter that is computed for each attempt: `Annotated[T, Depends(fn)]`.

    `fn(input, ctx)` may be sync or async, a generator that yields once, or return a context
    manager. Raises `InvalidDependencyError` for a function that does not take both.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        if len(_parameters(fn)) < 2:
            raise InvalidDependencyError(
                f"dependency {_name(fn)!r} must take two parameters at least: (input, ctx)"
            )
        self.fn = fn


class Dependency(NamedTuple):
    """One parameter: its name, the function that gives the value, and what that needs itself."""

    parameter: str
    fn: Callable[..., Any]
    needs: "tuple[Dependency, ...]"


def find_dependencies(
    fn: Callable[..., Any], scope: Mapping[str, Any], what: str
) -> tuple[Dependency, ...]:
    """The dependencies of a task's function, read from its annotations.

    `scope`: names that annotations may use besides those of the function's module.

    Raises `InvalidDependencyError` for a parameter that nobody gives a value, and for cycles.
    """
    return _find(fn, scope, what, ())


def _find(
    fn: Callable[..., Any],
    scope: Mapping[str, Any],
    what: str,
    above: tuple[Callable[..., Any], ...],
) -> tuple[Dependency, ...]:
    found = []
    rest = _parameters(fn)[2:]
    names = [each.name for each in rest]
    annotations = read_annotations(fn, names, scope, unknown_is_any=True) if rest else {}
    for parameter in rest:
        depends = _depends(annotations[parameter.name], parameter)
        if depends is None:
            if parameter.default is parameter.empty:
                raise InvalidDependencyError(
                    f"{what}: nothing gives parameter {parameter.name!r} a value. Write it as "
                    f"`{parameter.name}: Annotated[..., Depends(function)]`, or give it a default"
                )
            continue
        if depends.fn in above:
            circle = " -> ".join(_name(each) for each in (*above, depends.fn))
            raise InvalidDependencyError(f"{what}: dependencies need each other: {circle}")
        inner = f"{what}, dependency {_name(depends.fn)!r}"
        needs = _find(depends.fn, scope, inner, (*above, depends.fn))
        found.append(Dependency(parameter.name, depends.fn, needs))
    return tuple(found)


def _parameters(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # builtins that do not tell
        return []
    open_kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each for each in parameters if each.kind not in open_kinds]


def _depends(annotation: Any, parameter: inspect.Parameter) -> Depends | None:
    while hasattr(annotation, "__value__"):  # an alias made by the `type` statement
        annotation = annotation.__value__
    if typing.get_origin(annotation) is typing.Annotated:
        for extra in annotation.__metadata__:
            if isinstance(extra, Depends):
                return extra
    return parameter.default if isinstance(parameter.default, Depends) else None


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", type(fn).__name__)


# ---------------------------------------------------------------------- async tasks


async def aio_call(
    fn: Callable[..., Any], needs: tuple[Dependency, ...], input: Any, ctx: "Context"
) -> Any:
    """Compute the dependencies, await the task's function, clean up."""
    failure: BaseException | None = None
    value: Any = None
    async with contextlib.AsyncExitStack() as stack:
        given = await _aio_values(needs, input, ctx, stack)
        try:
            value = await fn(input, ctx, **given)
        except BaseException as error:
            failure = error
            raise
    if failure is not None:  # a manager may look at the exception, but a failed task has failed
        raise failure
    return value


async def _aio_values(
    needs: tuple[Dependency, ...], input: Any, ctx: "Context", stack: contextlib.AsyncExitStack
) -> dict[str, Any]:
    values = {}
    for need in needs:
        given = await _aio_values(need.needs, input, ctx, stack)
        values[need.parameter] = await _aio_value(need.fn, (input, ctx), given, stack)
    return values


async def _aio_value(
    fn: Callable[..., Any],
    args: tuple[Any, Any],
    given: dict[str, Any],
    stack: contextlib.AsyncExitStack,
) -> Any:
    if inspect.isasyncgenfunction(fn):
        return await stack.enter_async_context(contextlib.asynccontextmanager(fn)(*args, **given))
    if inspect.isgeneratorfunction(fn):
        return await _aio_enter(contextlib.contextmanager(fn)(*args, **given), stack)
    if _is_async(fn):
        value = await fn(*args, **given)
    else:
        value = await _in_thread(lambda: fn(*args, **given))
    if hasattr(value, "__aenter__") and hasattr(value, "__aexit__"):
        return await stack.enter_async_context(value)
    if _is_manager(value):
        return await _aio_enter(value, stack)
    return value


async def _aio_enter(manager: Any, stack: contextlib.AsyncExitStack) -> Any:
    """Enter a sync context manager in a thread, and leave it in one."""
    entering = _start_in_thread(manager.__enter__)
    try:
        entered = await asyncio.shield(entering)
    except asyncio.CancelledError as error:  # the thread goes on
        cause = error
        entering.add_done_callback(lambda done: _leave_late(done, manager, cause))
        raise

    async def leave(*error: Any) -> bool | None:
        return await _in_thread(lambda: manager.__exit__(*error))  # type: ignore[no-any-return]

    stack.push_async_exit(leave)
    return entered


def _leave_late(entered: "asyncio.Future[Any]", manager: Any, cause: BaseException) -> None:
    """Leave a manager that was entered after the task had been cancelled."""
    if entered.cancelled() or entered.exception() is not None:
        return

    def leave() -> None:
        with contextlib.suppress(BaseException):  # there is nobody left to tell
            manager.__exit__(type(cause), cause, cause.__traceback__)

    _pool().run(leave)


async def _in_thread(function: Callable[[], Any]) -> Any:
    return await _start_in_thread(function)


def _start_in_thread(function: Callable[[], Any]) -> "asyncio.Future[Any]":
    """Run it in a thread of our own: user code may fill asyncio's default executor."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        elif isinstance(error, StopIteration):  # which a future does not take
            done.set_exception(RuntimeError(f"a dependency raised {error!r}"))
        else:
            done.set_exception(error)

    def run() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = (context.run(function), None)
        except BaseException as error:
            outcome = (None, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, *outcome)

    _pool().run(run)
    return done


def _pool() -> Any:
    global _threads
    if _threads is None:
        from hatchet._run.pool import ThreadPool

        _threads = ThreadPool("hatchet-dependency")
    return _threads


_threads: Any = None


def _is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(
        getattr(fn, "__call__", None)  # noqa: B004 - objects with an async __call__ count
    )


def _is_manager(value: Any) -> bool:
    return hasattr(value, "__enter__") and hasattr(value, "__exit__")


# ---------------------------------------------------------------------- sync tasks


def call(
    fn: Callable[..., Any],
    needs: tuple[Dependency, ...],
    input: Any,
    ctx: "Context",
    loop: asyncio.AbstractEventLoop | None,
) -> Any:
    """Like `aio_call`, in a thread; async dependencies run on `loop`."""
    failure: BaseException | None = None
    value: Any = None
    with contextlib.ExitStack() as stack:
        given = _values(needs, input, ctx, stack, loop)
        try:
            value = fn(input, ctx, **given)
        except BaseException as error:
            failure = error
            raise
    if failure is not None:
        raise failure
    return value


def _values(
    needs: tuple[Dependency, ...],
    input: Any,
    ctx: "Context",
    stack: contextlib.ExitStack,
    loop: asyncio.AbstractEventLoop | None,
) -> dict[str, Any]:
    values = {}
    for need in needs:
        given = _values(need.needs, input, ctx, stack, loop)
        values[need.parameter] = _value(need.fn, (input, ctx), given, stack, loop)
    return values


def _value(
    fn: Callable[..., Any],
    args: tuple[Any, Any],
    given: dict[str, Any],
    stack: contextlib.ExitStack,
    loop: asyncio.AbstractEventLoop | None,
) -> Any:
    if inspect.isasyncgenfunction(fn):
        manager = contextlib.asynccontextmanager(fn)(*args, **given)
        return stack.enter_context(_on_loop(manager, loop))
    if inspect.isgeneratorfunction(fn):
        return stack.enter_context(contextlib.contextmanager(fn)(*args, **given))
    value = _await(fn(*args, **given), loop) if _is_async(fn) else fn(*args, **given)
    if hasattr(value, "__aenter__") and hasattr(value, "__aexit__"):
        return stack.enter_context(_on_loop(value, loop))
    return stack.enter_context(value) if _is_manager(value) else value


@contextlib.contextmanager
def _on_loop(manager: Any, loop: asyncio.AbstractEventLoop | None) -> Iterator[Any]:
    """An async context manager, entered and left on the worker's loop."""
    entered = _await(manager.__aenter__(), loop)
    try:
        yield entered
    except BaseException as error:
        if not _await(manager.__aexit__(type(error), error, error.__traceback__), loop):
            raise
    else:
        _await(manager.__aexit__(None, None, None), loop)


def _await(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop | None) -> Any:
    if loop is None:
        coroutine.close()
        raise InvalidDependencyError(
            "a sync task with an async dependency needs a worker with an event loop"
        )
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
