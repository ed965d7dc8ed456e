"""Our server as a process of its own: fresh data directory, free ports, default settings.

The embedded Postgres keeps its defaults: fsync and synchronous_commit are on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.support.cpu import CpuReader
from benchmarks.support.places import PYTHON, temporary_dir
from benchmarks.support.proc import descendants, memory_mb
from benchmarks.support.processes import Program
from hatchet_engine.app.embedded import attach

POSTGRES_NAME = "postgres"


class Server:
    """A running server. `environ` points both our SDK and the official one to it."""

    def __init__(self, program: Program, data_dir: Path, environ: dict[str, str]) -> None:
        self.program = program
        self.data_dir = data_dir
        self.environ = environ

    def cpu_groups(self) -> dict[str, CpuReader]:
        """Readers for the engine's own process and for all processes of Postgres."""
        return {"engine": self.program.own_cpu_s, "Postgres": self._postgres_cpu_s}

    def engine_memory_mb(self) -> tuple[float, float]:
        """RSS and PSS of the engine's process."""
        return memory_mb(self.program.pid)

    def fetch(self, statement: str) -> list[dict[str, Any]]:
        """Ask the database, over a connection of its own."""

        async def ask(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(statement)

        return [dict(row) for row in self._on_database(ask)]

    def _on_database(self, work: Callable[[Any], Any]) -> Any:
        async def connected() -> Any:
            connection = await asyncpg.connect(attach(self.data_dir))
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())

    def _postgres_cpu_s(self) -> float:
        # Backends that have ended count as reaped by the postmaster.
        processes = [p for p in descendants(self.program.pid) if p.name == POSTGRES_NAME]
        return sum(p.own_cpu_s + p.reaped_cpu_s for p in processes)


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server, wait until it serves, stop it at the end and remove its data."""
    with temporary_dir("server") as place:
        data_dir, config_dir = place / "data", place / "config"
        environ = {"HATCHET_CONFIG_DIR": str(config_dir), "HATCHET_LOG_LEVEL": "warning"}
        command = [PYTHON, "-m", "hatchet_cli", "server", f"--data-dir={data_dir}"]
        command += ["--http-port=0", "--grpc-port=0"]
        with Program("server", command, environ) as program:
            program.wait_for("ready")
            yield Server(program, data_dir, _client_environ(config_dir))


def _client_environ(config_dir: Path) -> dict[str, str]:
    """The variables that both SDKs read, from the profile that the server has left."""
    profile = json.loads((config_dir / "profiles.json").read_text())["profiles"]["local"]
    return {
        "HATCHET_CLIENT_TOKEN": profile["token"],
        "HATCHET_CLIENT_HOST_PORT": profile["host_port"],
        "HATCHET_CLIENT_SERVER_URL": profile["server_url"],
        "HATCHET_CLIENT_TLS_STRATEGY": profile["tls_strategy"],
    }
