"""A server, workers and callers in processes of their own, and what is checked after the faults."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from sys import executable
from typing import Any

import asyncpg
import httpx

from hatchet import ClientConfig, Hatchet
from hatchet._core.token import read_claims
from hatchet_engine.app.embedded.cluster import read_postmaster
from hatchet_engine.app.embedded.server import attach
from hatchet_engine.shards.lease import LOCK_SPACE
from tests.chaos.journal import Attempt, Journal
from tests.chaos.tasks import declare
from tests.support.processes import Program
from tests.support.server import ROOT, Server, running_server
from tests.support.stored_invariants import check_stored

CHECK_INTERVAL_S = 0.02
REST_TIMEOUT_S = 40.0
REASSIGNED, LATE_REPORT_REFUSED = 4, 11  # kinds of task_event


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """The condition's value once it is true."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(CHECK_INTERVAL_S)
    return value


class Cluster:
    """One server and everything around it; made by :func:`running_cluster`."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.workers: dict[str, Program] = {}
        self.journal = Journal(directory / "journal")
        self.gates = directory / "gates"
        self.gates.mkdir()
        self._clients: list[Hatchet] = []

    # ------------------------------------------------------------ parts

    def start_worker(
        self,
        name: str,
        slots: int,
        address: str | None = None,
        program_name: str = "worker_program",
    ) -> Program:
        """Start a worker process and wait until it has joined."""
        environ = self.server.client_environ()
        environ["HATCHET_CLIENT_HOST_PORT"] = address or self.server.grpc_address
        command = [executable, "-m", f"tests.chaos.{program_name}", name, str(slots)]
        files = [self.journal.path, self.gates]
        program = Program(name, [*command, *map(str, files)], environ=environ, cwd=ROOT)
        self.workers[name] = program
        program.wait_for_line(f"worker {name} joined as")
        return program

    def client(self, address: str | None = None, **settings: Any) -> Any:
        """The task for callers, over a connection of its own."""
        return declare(self.hatchet(address, **settings))

    def hatchet(self, address: str | None = None, **settings: Any) -> Hatchet:
        """A connection for callers."""
        config = ClientConfig(
            token=self.server.token, host_port=address or self.server.grpc_address, **settings
        )
        hatchet = Hatchet(config=config)
        self._clients.append(hatchet)
        return hatchet

    def open_gate(self, worker: str) -> None:
        (self.gates / worker).touch()

    def signal_worker(self, name: str, number: signal.Signals) -> None:
        self.workers[name].send_signal(number)

    async def restart(self) -> None:
        """kill -9 of the engine, then a start on the same data and ports."""
        self.server.kill()
        await asyncio.to_thread(self.server.start)

    # ------------------------------------------------------------ database

    @property
    def postmaster_pid(self) -> int | None:
        postmaster = read_postmaster(self.server.data_dir / "postgres")
        return postmaster.pid if postmaster is not None and postmaster.ready else None

    async def kill_postgres(self) -> int:
        """kill -9 of Postgres, as soon as it runs; the id of the process that is no more."""
        pid: int = await until(lambda: self.postmaster_pid, "Postgres runs")
        os.kill(pid, signal.SIGKILL)
        return pid

    async def kill_writer(self) -> None:
        """The process of the engine's writing connection; Postgres then restarts all of them."""
        os.kill(await self.writer_pid(), signal.SIGKILL)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(attach(self.server.data_dir))
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with self.database() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return rows

    async def writer_pid(self) -> int:
        """The Postgres process behind the engine's writing connection."""
        rows = await self.fetch(
            "select pid from pg_locks where locktype = 'advisory' and classid = $1", LOCK_SPACE
        )
        pids: set[int] = {row["pid"] for row in rows}
        (pid,) = pids
        return pid

    async def numbers(self) -> dict[int, list[str]]:
        """Task ids by the number in their input."""
        found: dict[int, list[str]] = {}
        for row in await self.fetch("select id, (input::jsonb ->> 'number')::int as n from task"):
            found.setdefault(row["n"], []).append(str(row["id"]))
        return found

    async def events(self, kind: int) -> list[Attempt]:
        rows = await self.fetch("select task_id, attempt from task_event where kind = $1", kind)
        return [(str(row["task_id"]), row["attempt"]) for row in rows]

    # ------------------------------------------------------------ afterwards

    async def rest(self) -> None:
        """Wait until nothing waits or runs any more."""
        query = (
            "select (select count(*) from queue_item) + (select count(*) from delayed_item)"
            " + (select count(*) from assignment) + (select count(*) from task_wait) as work"
        )
        deadline = time.monotonic() + REST_TIMEOUT_S
        async with self.database() as connection:
            while left := await connection.fetchval(query):
                assert time.monotonic() < deadline, f"{left} tasks are stuck"
                await asyncio.sleep(CHECK_INTERVAL_S)

    async def check(self, listening: int) -> None:
        """Everything that must hold when all work is done and `listening` workers are there."""
        await self.rest()
        moved = await self.events(REASSIGNED)
        self.journal.check(moved)
        async with self.database() as connection:
            await check_stored(connection, at_rest=True)
        for name, slots in (await self._slots(listening)).items():
            for kind, slot in slots.items():
                assert slot["available"] == slot["limit"], f"3: {kind} slots of {name} leaked"

    async def _slots(self, listening: int) -> dict[str, Any]:
        """Slots of the workers that are there, as REST shows them."""
        tenant = read_claims(self.server.token).tenant_id
        url = f"{self.server.http_url}/api/v1/tenants/{tenant}/worker"
        headers = {"authorization": f"Bearer {self.server.token}"}
        deadline = time.monotonic() + REST_TIMEOUT_S
        async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
            while True:
                response = await client.get(url)
                response.raise_for_status()
                rows = [row for row in response.json()["rows"] if row["status"] == "ACTIVE"]
                if len(rows) == listening:
                    return {row["name"]: row["slotConfig"] for row in rows}
                names = [(row["name"], row["status"]) for row in response.json()["rows"]]
                assert time.monotonic() < deadline, f"{listening} workers expected: {names}"
                await asyncio.sleep(0.1)  # REST answers at once; nobody tells of a change

    def close(self) -> None:
        for hatchet in self._clients:
            hatchet.close()
        for worker in self.workers.values():
            worker.kill()
        self.journal.close()


@contextmanager
def running_cluster(directory: Path, **settings: str) -> Iterator[Cluster]:
    """A cluster; `settings` are environment variables of the server."""
    with running_server(settings) as server:
        cluster = Cluster(server, directory)
        try:
            yield cluster
        finally:
            cluster.close()


def chance() -> random.Random:
    """Randomness whose seed stands in the output of a failed test (CHAOS_SEED sets it)."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().getrandbits(32))
    print(f"CHAOS_SEED={seed}")
    return random.Random(seed)
