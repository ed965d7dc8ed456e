"""Refuses a blocking wait that could never end.

A sync `run()` inside an async task blocks the worker's event loop. If the child is an async task
of the same worker, it would have to start on that very loop.
"""

import asyncio

from hatchet.context.current import current
from hatchet.exceptions import SyncWaitInAsyncTaskError


def check_blocking_wait(async_actions: tuple[str, ...]) -> None:
    """Raise `SyncWaitInAsyncTaskError` if this thread's loop would have to run these actions."""
    context = current.get()
    if context is None:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if context._runs_on(loop, async_actions):
        raise SyncWaitInAsyncTaskError(
            f"task {context.task_name!r} is async and waits for a task which would have to run "
            "on the event loop that is being blocked: this never ends. Use `await ...aio_run(...)` "
            "(or `aio_run_many`, `ref.aio_result()`)."
        )
