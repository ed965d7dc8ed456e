"""One process per data directory, guarded by flock.

The kernel frees the lock when its holder dies, however it dies, so there is nothing stale to
clean up. The file tells who holds it, for messages only.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Literal

from hatchet_engine.app.embedded.errors import DataDirBusyError

LOCK_FILE_NAME = "server.lock"
RETRY_INTERVAL_S = 0.05

Purpose = Literal["server", "command"]


class DataDirLock:
    """The right to run Postgres on `data_dir`.

    `purpose` tells others how long to wait: a "command" (such as `hatchet token create`) soon
    gives the directory back, a "server" does not.
    """

    def __init__(self, data_dir: Path, *, purpose: Purpose) -> None:
        self._path = data_dir / LOCK_FILE_NAME
        self._purpose = purpose
        self._fd: int | None = None

    async def acquire(self, *, wait_s: float = 0.0) -> None:
        """Take the lock, waiting up to `wait_s` seconds while a command holds it.

        Raises `DataDirBusyError` that names the holder: at once if that is a server.
        """
        deadline = time.monotonic() + wait_s
        while not self._try_acquire():
            pid, purpose = read_holder(self._path)
            if purpose == "server" or time.monotonic() >= deadline:
                raise _busy(self._path.parent, pid, purpose)
            await asyncio.sleep(RETRY_INTERVAL_S)

    def release(self) -> None:
        """Give the directory back; harmless when the lock is not held."""
        if self._fd is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
        os.close(self._fd)
        self._fd = None

    def is_free(self) -> bool:
        """Whether nobody holds the lock at this moment (a hint: that may change at once)."""
        if not self._try_acquire():
            return False
        self.release()
        return True

    def _try_acquire(self) -> bool:
        if self._fd is not None:
            raise RuntimeError(f"{self._path} is locked already by this object")
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()} {self._purpose}\n".encode())
        self._fd = fd
        return True


def read_holder(lock_path: Path) -> tuple[int | None, str]:
    """The pid and purpose written by the last holder; `(None, "")` if nothing readable is there."""
    try:
        pid, purpose = lock_path.read_text().split()
        return int(pid), purpose
    except (OSError, ValueError):
        return None, ""


def _busy(data_dir: Path, pid: int | None, purpose: str) -> DataDirBusyError:
    who = f"process {pid}" if pid is not None else "another process"
    what = "a Hatchet server" if purpose == "server" else "a hatchet command"
    return DataDirBusyError(
        f"data directory {data_dir} is in use by {what} ({who}). "
        "Stop it, or choose another directory with --data-dir (HATCHET_DATA_DIR).",
        pid=pid,
    )
