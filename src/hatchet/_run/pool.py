"""Threads for sync tasks: started on demand, kept for a while.

The engine bounds how many attempts run at once (slots), so the pool itself has no limit: a thread
that still works for a cancelled task never keeps a new task waiting. Cheaper than
`ThreadPoolExecutor`, which makes a future with a condition for each call.
"""

import queue
import threading
from collections.abc import Callable

IDLE_S = 60.0

Job = Callable[[], None]


class ThreadPool:
    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0  # threads that wait, less the jobs already meant for them
        self._count = 0
        self._closed = False

    @property
    def size(self) -> int:
        return self._count

    def run(self, job: Job) -> None:
        """Run `job` in a thread. It must not raise."""
        with self._lock:
            start = self._idle <= 0
            if start:
                self._count += 1
            else:
                self._idle -= 1
        if start:
            threading.Thread(
                target=self._work, args=(job,), name=f"{self._name}-{self._count}", daemon=True
            ).start()
        else:
            self._jobs.put(job)

    def _work(self, job: Job | None) -> None:
        while job is not None:
            job()
            with self._lock:
                if self._closed:
                    self._count -= 1
                    return
                self._idle += 1
            job = self._next()

    def _next(self) -> Job | None:
        """The next job; None when there is none for a while."""
        while True:
            try:
                return self._jobs.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        self._count -= 1
                        return None
                # A job is on its way to this thread.

    def close(self) -> None:
        """Let idle threads end; busy ones end after their job."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, 0
            self._count -= idle
        for _ in range(idle):
            self._jobs.put(None)
