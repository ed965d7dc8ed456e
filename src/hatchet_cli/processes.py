"""Processes that a command starts: tied to its life, ready when they say so, stopped in order."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from hatchet_cli.output import CommandError

# Set for processes of ours: they end when their parent does, however it ends.
TIED_VARIABLE = "HATCHET_END_WITH_PARENT"
PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 15.0
OUTPUT_LINES_KEPT = 30
READY_PREFIX = "ready"


def tie_to_parent() -> None:
    """If our parent asked for it, have the kernel send us SIGTERM when it dies (Linux)."""
    if os.environ.pop(TIED_VARIABLE, None) and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def own_command(*arguments: str) -> list[str]:
    """The command line of another `hatchet` command of this installation."""
    return [sys.executable, "-m", "hatchet_cli", *arguments]


class Child:
    """A process whose output passes through us line by line.

    `on_line` gets each line as it comes, from another thread; the last lines are kept for messages.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: dict[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.tail: deque[str] = deque(maxlen=OUTPUT_LINES_KEPT)
        self._on_line = on_line
        self._ready: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # Its own process group: Ctrl-C reaches us only, and we stop the others in order.
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **(environ or {}), TIED_VARIABLE: "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"{name}-output", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        """Return when it has ended."""
        self._process.wait()

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def wait_ready(self, timeout_s: float) -> str:
        """The line beginning with `ready`; raises `CommandError` if it ends or is too slow."""
        try:
            line = self._ready.get(timeout=timeout_s)
        except queue.Empty:
            raise CommandError(f"the {self.name} was not ready within {timeout_s:g} s") from None
        if line is None:
            raise self.failure()
        return line

    def failure(self) -> CommandError:
        """What to tell when the process has ended by itself: its own words."""
        self._process.wait(STOP_TIMEOUT_S)
        self._reader.join(STOP_TIMEOUT_S)
        said = "\n".join(self.tail) or "(it said nothing)"
        return CommandError(f"the {self.name} ended with code {self.exit_code}:\n{said}")

    def stop(self) -> None:
        """Ask it to end, and end it by force if it does not; harmless when it has ended."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_TIMEOUT_S)
        self._reader.join(STOP_TIMEOUT_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for raw in stream:
                line = raw.rstrip("\n")
                self.tail.append(line)
                if line.startswith(READY_PREFIX):
                    self._ready.put(line)
                if self._on_line is not None:
                    self._on_line(line)
        self._ready.put(None)


def first_to_end(*children: Child) -> Child:
    """Wait for the end of any of them."""
    ended: queue.SimpleQueue[Child] = queue.SimpleQueue()

    def wait(child: Child) -> None:
        child.wait()
        ended.put(child)

    for child in children:
        threading.Thread(target=wait, args=(child,), name=f"{child.name}-end", daemon=True).start()
    return ended.get()


def wait_until(
    condition: Callable[[], bool], *, timeout_s: float, interval_s: float, what: str
) -> None:
    """Ask again and again until it is so, since another process decides it; raises `CommandError`
    naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise CommandError(f"{what} took longer than {timeout_s:g} s")
        time.sleep(interval_s)  # another process decides, and nobody tells
