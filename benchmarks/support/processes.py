"""Programs that the bench starts: ready when they say so, stopped in order, never left over."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.support.places import ROOT
from benchmarks.support.proc import process_cpu_s, tree_cpu_s

PR_SET_PDEATHSIG = 1
READY_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 20.0
ERROR_BYTES_SHOWN = 3_000

_libc = ctypes.CDLL(None)


class ProgramError(RuntimeError):
    """A program ended, or was too slow; the text holds its last words."""


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Program:
    """A running program; use it in a `with` block, which stops it at the end.

    What it prints must be read (`wait_for`, `call`), or the pipe fills up and the program stops;
    with `quiet` it goes where its errors go.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self._buffer = b""
        self._began_s = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environ() | dict(environ or {}),
            stdin=subprocess.PIPE,
            stdout=self._errors if quiet else subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 (the bench has no threads)
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU time of the program and all processes it has started."""
        return tree_cpu_s(self.pid)

    def own_cpu_s(self) -> float:
        """CPU time of this process alone."""
        return process_cpu_s(self.pid)

    def wait_for(self, prefix: str, timeout_s: float = READY_TIMEOUT_S) -> tuple[str, float]:
        """The next line that begins with `prefix`, and the seconds since the program's start."""
        deadline = time.monotonic() + timeout_s
        while True:
            line = self._read_line(deadline)
            if line.startswith(prefix):
                return line, time.perf_counter() - self._began_s

    def call(self, operation: str, timeout_s: float = CALL_TIMEOUT_S, **options: Any) -> Any:
        """Ask a program that uses `programs/calls.py` for something, and wait for its answer."""
        assert self._process.stdin is not None
        request = json.dumps({"operation": operation, "options": options}) + "\n"
        try:
            self._process.stdin.write(request.encode())
        except BrokenPipeError:
            raise self.failure("ended") from None
        answer = json.loads(self._read_line(time.monotonic() + timeout_s))
        if "error" in answer:
            raise ProgramError(f"{self.name}: {operation}: {answer['error']}")
        return answer["result"]

    def stop(self) -> None:
        """Ask it to end, and end its whole process group by force if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """End it and the processes of its group at once."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def failure(self, what: str) -> ProgramError:
        """An error with the last words of the program."""
        return ProgramError(f"{self.name} {what}:\n{self.last_words() or '(it said nothing)'}")

    def last_words(self) -> str:
        """The end of what it has written to its error output."""
        # Read by position: the program writes to the same file at the same time.
        size = os.fstat(self._errors.fileno()).st_size
        start = max(0, size - ERROR_BYTES_SHOWN)
        return os.pread(self._errors.fileno(), size - start, start).decode(errors="replace").strip()

    def _read_line(self, deadline: float) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([self._process.stdout], [], [], left_s)[0]:
                raise self.failure("was too slow")
            data = os.read(self._process.stdout.fileno(), 65_536)
            if not data:
                raise self.failure(f"ended with code {self._process.wait()}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and (said := self.last_words()):
            error.add_note(f"The {self.name} has said:\n{said}")
        self.stop()


def clean_environ() -> dict[str, str]:
    """Our environment without settings of another server or of a shell's Python.

    Programs import the code of this checkout, wherever the environment's own install points.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HATCHET_", "CELERY_", "PG", "PYTHON"))
    }
    return kept | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
