"""A Postgres whose owner is gone: find it, stop it, clear what would stand in the way."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from pathlib import Path

import psutil
import structlog

from hatchet_engine.app.embedded.cluster import SOCKET_PORT, read_postmaster

FAST_STOP_TIMEOUT_S = 15.0
IMMEDIATE_STOP_TIMEOUT_S = 5.0
ORPHANS_END_S = 1.0  # so long helpers may take to notice that their postmaster is gone
CHECK_INTERVAL_S = 0.02

# Fast stop with a checkpoint; stop at once (recovery at the next start); no choice left.
STOP_STEPS = (
    (signal.SIGINT, FAST_STOP_TIMEOUT_S),
    (signal.SIGQUIT, IMMEDIATE_STOP_TIMEOUT_S),
    (signal.SIGKILL, IMMEDIATE_STOP_TIMEOUT_S),
)

log = structlog.get_logger(__name__)


async def stop_leftover(cluster_dir: Path, socket_dir: Path) -> None:
    """Stop whatever runs in `cluster_dir`. Call it only while holding the lock of the directory:
    then what runs there has no owner any more.
    """
    postmaster = read_postmaster(cluster_dir)
    for sig, timeout_s in STOP_STEPS:
        members = _members(cluster_dir)
        found = next((one for one in members if postmaster and one.pid == postmaster.pid), None)
        if found is None:
            break
        log.info("embedded_postgres_leftover", pids=[member.pid for member in members])
        with contextlib.suppress(psutil.NoSuchProcess):
            found.send_signal(sig)  # helpers end with it
        await _wait_for_end(cluster_dir, timeout_s)
    await _end_orphans(cluster_dir)
    # The pid in these files may belong to something else by now (common in containers), and
    # Postgres would then refuse to start. Nothing runs in the directory, so they can go.
    socket_file = socket_dir / f".s.PGSQL.{SOCKET_PORT}"
    for path in (cluster_dir / "postmaster.pid", Path(f"{socket_file}.lock"), socket_file):
        path.unlink(missing_ok=True)


async def _end_orphans(cluster_dir: Path) -> None:
    """Helpers without a postmaster end by themselves, save one that waits for a lock which another
    has taken along. Nothing can be lost: recovery begins as after any crash."""
    await _wait_for_end(cluster_dir, ORPHANS_END_S)
    if members := _members(cluster_dir):
        log.info("embedded_postgres_orphans", pids=[member.pid for member in members])
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        await _wait_for_end(cluster_dir, IMMEDIATE_STOP_TIMEOUT_S)


async def _wait_for_end(cluster_dir: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while _members(cluster_dir) and time.monotonic() < deadline:
        await asyncio.sleep(CHECK_INTERVAL_S)


def is_postgres(pid: int) -> bool:
    """Whether process `pid` lives and is a Postgres."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
    return False


def _members(cluster_dir: Path) -> list[psutil.Process]:
    """All processes of the Postgres in `cluster_dir`: each has it as its working directory.

    Zombies have none, and so do not count: in containers they may stay for seconds.
    """
    place = str(cluster_dir.resolve())
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            with contextlib.suppress(psutil.Error, OSError):
                if process.cwd() == place:
                    found.append(process)
    return found
