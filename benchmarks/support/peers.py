"""The environment of the peers, and the services they need: Redis, a Postgres of their own."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.support.places import BENCHMARKS, ROOT, free_port, temporary_dir
from benchmarks.support.processes import Program
from hatchet_engine.app.embedded import EmbeddedPostgres

PEERS_VENV = ROOT / ".venv-peers"
PEERS_PYTHON = str(PEERS_VENV / "bin" / "python")
LOCK_FILE = BENCHMARKS / "requirements-peers.lock"
STAMP = PEERS_VENV / ".stamp"
REDIS_READY = "Ready to accept connections"


class PeerMissingError(RuntimeError):
    """A peer cannot be measured on this machine; the text says what to install."""


def install_peers() -> None:
    """Make .venv-peers from the lock file; at once when that has not changed."""
    wanted = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    pip_flags = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(PEERS_VENV)],
        [PEERS_PYTHON, "-m", "pip", "install", *pip_flags, "-r", str(LOCK_FILE)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PeerMissingError(f"cannot install the peers: {done.stderr.strip()[-300:]}")
    STAMP.write_text(wanted)


def peer_versions(*names: str) -> str:
    """`celery 5.7.0, redis 8.1.0`."""
    program = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    done = subprocess.run(
        [PEERS_PYTHON, "-c", program, *names], capture_output=True, text=True, check=True
    )
    return ", ".join(f"{name} {v}" for name, v in zip(names, done.stdout.split(), strict=True))


@contextmanager
def redis_server() -> Iterator[tuple[Program, str]]:
    """A Redis without files on a free port, and its URL without the number of a database."""
    if shutil.which("redis-server") is None:
        raise PeerMissingError("redis-server is not installed (Debian: apt-get install it)")
    port = free_port()
    with temporary_dir("redis") as place:
        command = [
            *("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(place)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
        ]
        with Program("redis-server", command) as redis:
            while REDIS_READY not in redis.wait_for("")[0]:
                pass
            yield redis, f"redis://127.0.0.1:{port}"


@contextmanager
def postgres_server(database: str) -> Iterator[tuple[EmbeddedPostgres, str]]:
    """The Postgres of our own server, with the same settings, and the DSN of a new database."""
    with temporary_dir("postgres") as place:
        postgres = EmbeddedPostgres(place, purpose="command")
        dsn = asyncio.run(postgres.start(supervise=False))
        try:
            asyncio.run(_create_database(dsn, database))
            yield postgres, urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))
        finally:
            asyncio.run(postgres.stop())


async def _create_database(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
