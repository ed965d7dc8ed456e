"""Where things are in the repository, and the interpreters of its environments."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
PROGRAMS = BENCHMARKS / "programs"
RESULTS = BENCHMARKS / "results"

PYTHON = sys.executable
OFFICIAL_PYTHON = str(ROOT / ".venv-official" / "bin" / "python")


@contextmanager
def temporary_dir(name: str) -> Iterator[Path]:
    """A directory that is removed at the end; others may pass through it, Postgres must."""
    place = Path(tempfile.mkdtemp(prefix=f"hatchet-bench-{name}-"))
    if os.geteuid() == 0:
        place.chmod(0o711)
    try:
        yield place
    finally:
        rmtree(place, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
