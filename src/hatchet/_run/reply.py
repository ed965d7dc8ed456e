"""Answers that the I/O thread gives, awaitable from any thread and any event loop.

`concurrent.futures.Future` costs three times as much, and waking an event loop once per answer
more still: here the loops are woken once per frame, by `Wakeups`.
"""

import asyncio
import threading
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_guard = threading.Lock()  # held for a few instructions only
_Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Wakeups:
    """Collects asyncio futures to be set, and wakes each of their loops once."""

    def __init__(self) -> None:
        self._by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    def add(self, waiter: _Waiter) -> None:
        self._by_loop.setdefault(waiter[0], []).append(waiter[1])

    def flush(self) -> None:
        if not self._by_loop:
            return
        by_loop, self._by_loop = self._by_loop, {}
        for loop, futures in by_loop.items():
            try:
                loop.call_soon_threadsafe(_set_all, futures)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue


def _set_all(futures: "list[asyncio.Future[None]]") -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


class Reply(Generic[T]):
    """One value or one error, set once."""

    __slots__ = ("_error", "_value", "_waiters", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._waiters: list[threading.Lock | _Waiter] | None = None

    def settle(
        self, wakeups: Wakeups, value: Any = None, error: BaseException | None = None
    ) -> None:
        """Set it (repeats are ignored). Waiting event loops hear at `wakeups.flush()`."""
        with _guard:
            if self.done:
                return
            self._value, self._error = value, error
            self.done = True
            waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if isinstance(waiter, tuple):
                wakeups.add(waiter)
            else:
                waiter.release()

    def wait(self, timeout_s: float | None = None) -> T:
        """Block this thread. Raises `TimeoutError`, or the error that was set."""
        if not self.done:
            lock = threading.Lock()
            lock.acquire()
            if self._join(lock) and not lock.acquire(
                timeout=-1 if timeout_s is None else timeout_s
            ):
                self._leave(lock)
                if not self.done:
                    raise TimeoutError(f"no answer within {timeout_s} s")
        return self._get()

    async def aio(self, timeout_s: float | None = None) -> T:
        """Wait in the running event loop. Raises `TimeoutError`, or the error that was set."""
        if not self.done:
            loop = asyncio.get_running_loop()
            waiter: _Waiter = (loop, loop.create_future())
            if self._join(waiter):
                try:
                    if timeout_s is None:
                        await waiter[1]
                    else:
                        async with asyncio.timeout(timeout_s):
                            await waiter[1]
                except TimeoutError:
                    raise TimeoutError(f"no answer within {timeout_s} s") from None
                finally:
                    if not self.done:
                        self._leave(waiter)
        return self._get()

    def _get(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def _join(self, waiter: "threading.Lock | _Waiter") -> bool:
        with _guard:
            if self.done:
                return False
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            return True

    def _leave(self, waiter: "threading.Lock | _Waiter") -> None:
        with _guard:
            if self._waiters and waiter in self._waiters:
                self._waiters.remove(waiter)


class Gathering(Generic[T]):
    """Many answers as one `Reply`: a list in order, set when the last one is there.

    Only the I/O thread puts answers in.
    """

    __slots__ = ("_missing", "_values", "reply")

    def __init__(self, count: int) -> None:
        self.reply: Reply[list[T]] = Reply()
        self._values: list[T | None] = [None] * count
        self._missing = count

    def put(self, index: int, value: T, wakeups: Wakeups) -> None:
        if self._values[index] is None:
            self._values[index] = value
            self._missing -= 1
            if self._missing == 0:
                self.reply.settle(wakeups, self._values)
