"""The one thread of this process that does network I/O, with an event loop of its own.

Independent of the user's loops and threads: several `asyncio.run` in one process work, a blocked
user loop does not stop heartbeats, and a blocking call in any thread can wait for an answer.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class IoThread:
    """A daemon thread that runs an event loop for ever."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="hatchet-io", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(self._ready.set)
        self.loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the I/O loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def is_current(self) -> bool:
        return threading.current_thread() is self._thread


_lock = threading.Lock()
_current: IoThread | None = None
_generation = 0
_forked_after_use = False


def io_thread() -> IoThread:
    """The thread of this process, started when first needed.

    Raises `RuntimeError` in a child that was forked after its parent had connected: gRPC does
    not survive that, and would hang.
    """
    global _current
    with _lock:
        if _forked_after_use:
            raise RuntimeError(
                "this process was forked from one that had already used its Hatchet client, and "
                "gRPC does not survive a fork. Use the client in the parent only after forking, or "
                "start processes with the method 'spawn'."
            )
        if _current is None:
            _current = IoThread()
        return _current


def generation() -> int:
    """Grows with each fork: whoever keeps a connection compares and opens its own in a child."""
    return _generation


def _after_fork() -> None:
    global _current, _forked_after_use, _generation, _lock
    _lock = threading.Lock()
    _forked_after_use = _forked_after_use or _current is not None
    _current = None
    _generation += 1


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
