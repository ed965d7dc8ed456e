"""Programs that tests start: their output is kept line by line and can be waited for.

    worker = Program("worker", [python, "worker.py"], environ=environ, cwd=tmp_path)
    worker.wait_for_line("ready")
    worker.kill()

Nothing here sleeps blindly: whoever waits is woken by the line it waits for, by the end of the
program, or by its own deadline.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

LINE_TIMEOUT_S = 25.0
STOP_TIMEOUT_S = 20.0
SHOWN_LINES_MAX = 120
SHOWN_COLUMNS_MAX = 500


class ProgramError(AssertionError):
    """A program ended, or did not say in time what it was expected to say."""


class Program:
    """A process in a process group of its own."""

    started: ClassVar[list[Program]] = []

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environ: Mapping[str, str],
        cwd: Path,
    ) -> None:
        self.name = name
        self._lines: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env={**environ, "PYTHONUNBUFFERED": "1"},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()
        Program.started.append(self)

    # --- output -----------------------------------------------------------------------------

    def lines(self, since: float = 0.0) -> list[str]:
        """What it has printed after the moment `since` (of `time.monotonic`)."""
        with self._changed:
            return [line for at, line in self._lines if at >= since]

    def wait_for_line(
        self, pattern: str, *, timeout_s: float = LINE_TIMEOUT_S, since: float = 0.0
    ) -> str:
        """The first line printed since `since` in which the pattern is found."""
        deadline = time.monotonic() + timeout_s
        compiled, seen = re.compile(pattern), 0
        with self._changed:
            while True:
                for at, line in self._lines[seen:]:
                    if at >= since and compiled.search(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended:
                    raise ProgramError(f"{self.name} ended without a line like {pattern!r}")
                if left <= 0:
                    raise ProgramError(
                        f"{self.name} printed no line like {pattern!r} in {timeout_s:g} s"
                    )
                self._changed.wait(left)

    def write_line(self, line: str) -> None:
        """Give it a line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    # --- life -------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask the process itself (not its children) to stop, as service managers do."""
        self._process.send_signal(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; its children get none."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it and its children without their noticing."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it and its children at once, as a power failure would."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._finish()

    def kill_alone(self) -> None:
        """End it at once, and leave its children to whoever looks after them."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ProgramError(f"{self.name} did not end within {timeout_s:g} s") from error
        self._finish()
        return code

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask it to stop; end it if it does not."""
        if self.running:
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def _finish(self) -> None:
        self._process.wait(STOP_TIMEOUT_S)
        self._reader.join(STOP_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not self._reader.is_alive():
                with suppress(BrokenPipeError):
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._lines.append((time.monotonic(), line.rstrip("\n")))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def output_since(moment: float) -> list[tuple[str, str]]:
    """Name and last output of every program that said something since then; for failed tests."""
    shown = []
    for program in Program.started:
        lines = program.lines(since=moment)
        if lines:
            last = [line[:SHOWN_COLUMNS_MAX] for line in lines[-SHOWN_LINES_MAX:]]
            shown.append((program.name, "\n".join(last)))
    return shown
