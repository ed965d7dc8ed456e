"""Workers and callers of our SDK and of the official one, each in a process of its own."""

from __future__ import annotations

from benchmarks.support.cpu import CpuMeter
from benchmarks.support.places import OFFICIAL_PYTHON, PROGRAMS, PYTHON
from benchmarks.support.processes import Program
from benchmarks.support.server import Server

# Attempts that our worker runs at once. More than the SDK's default of 100, because no-op tasks
# end before the next batch can arrive; the worker of the official SDK keeps its default.
SLOTS = 1_000


def our_worker(server: Server, *options: str, slots: int = SLOTS) -> Program:
    """Start a worker; it prints `ready` when it has joined (`wait_for` that)."""
    command = [PYTHON, str(PROGRAMS / "our_worker.py"), f"--slots={slots}", *options]
    return Program("worker", command, server.environ)


def ready_worker(server: Server, *options: str, slots: int = SLOTS) -> Program:
    """A worker that has joined."""
    worker = our_worker(server, *options, slots=slots)
    try:
        worker.wait_for("ready")
    except BaseException:
        worker.stop()
        raise
    return worker


def our_client(server: Server) -> Program:
    """A caller; see `programs/our_client.py` for what it can be asked."""
    return Program("client", [PYTHON, str(PROGRAMS / "our_client.py")], server.environ)


def official_worker(server: Server) -> Program:
    """A worker of the official SDK; run a task to know when it has joined."""
    command = [OFFICIAL_PYTHON, str(PROGRAMS / "official_worker.py")]
    return Program("official worker", command, server.environ, quiet=True)


def cpu_meter(server: Server, worker: Program, client: Program) -> CpuMeter:
    """CPU time split into engine, Postgres, worker and client."""
    return CpuMeter({**server.cpu_groups(), "worker": worker.cpu_s, "client": client.cpu_s})
