"""The REST app over a real database, with an engine that only remembers its commands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.why import Answer
from hatchet_engine.observe.pool import open_read_pool
from hatchet_engine.observe.why import explain
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.transports.rest.app import create_app
from hatchet_engine.transports.rest.settings import RestSettings
from hatchet_engine.turn.state import Hot
from tests.support.rows import NOW_MS, Rows

OFFICIAL_PYTHON = Path(".venv-official/bin/python")
OFFICIAL_MODELS = Path(__file__).parents[1] / "unit" / "rest" / "official_models.py"
BODY_BYTES_MAX = 64 * 1024


@dataclass
class Live:
    last_heartbeat_ms: int | None = NOW_MS
    listening: bool = True
    free: Mapping[str, int] = field(default_factory=lambda: {"default": 97})


@dataclass
class FakeShard:
    id: int = 0
    epoch: int = 3
    owner: str = "node-1"


@dataclass
class FakeWorkerStatus:
    name: str = "<script>alert(1)</script>"
    listening: bool = True
    paused: bool = False
    running: int = 3
    slots: Mapping[str, int] = field(default_factory=lambda: {"default": 100})
    free: Mapping[str, int] = field(default_factory=lambda: {"default": 97})


@dataclass
class FakeLane:
    name: str
    waiting: int
    dropped: int


@dataclass
class FakeStatus:
    version: str = "0.0.1"
    database: str = "PostgreSQL 18.4, embedded"
    shards: Sequence[FakeShard] = (FakeShard(),)
    workers: Sequence[FakeWorkerStatus] = (FakeWorkerStatus(),)
    queue_depths: Mapping[str, int] = field(default_factory=lambda: {"simple:<step>": 1_234_567})
    lanes: Sequence[FakeLane] = (FakeLane("logs", 0, 1_234), FakeLane("streams", 3, 0))


class FakeClock:
    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms


class FakeStreams:
    """A lane in which nothing waits; ``settled`` are the runs somebody wanted complete."""

    def __init__(self) -> None:
        self.settled: list[UUID] = []
        self.waiting: set[UUID] = set()

    async def put(
        self, tenant_id: UUID, task_id: UUID, data: bytes, index: int | None, attempt: int | None
    ) -> None:
        raise AssertionError("REST puts no chunks")

    def has_waiting(self, run_id: UUID) -> bool:
        return run_id in self.waiting

    def has_gap(self, run_id: UUID) -> bool:
        return False

    async def settle(self, run_id: UUID, task_id: UUID | None = None) -> None:
        self.settled.append(run_id)


class FakeEngine:
    """``answers``: what submit returns or raises, by the command's class."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.read_pool = pool
        self.clock = FakeClock()
        self.watchers = RunWatchers()
        self.streams = FakeStreams()
        self.commands: list[Any] = []
        self.answers: dict[type, Any] = {}
        self.ready = True
        self.live: dict[UUID, Live] = {}
        self.hot: Hot | None = None  # None: a standby

    async def submit(self, command: Any) -> Any:
        self.commands.append(command)
        answer = self.answers.get(type(command))
        if isinstance(answer, Exception):
            raise answer
        return answer(command) if callable(answer) else answer

    async def why(self, tenant_id: UUID, id: UUID) -> Answer | None:
        return await explain(self.read_pool, self.hot, tenant_id, id, self.clock.now_ms())

    def worker_live(self, worker_id: UUID) -> Live | None:
        return self.live.get(worker_id)

    def status(self) -> FakeStatus:
        return FakeStatus()


class FakeAuthenticator:
    """The token is the tenant's id."""

    async def tenant_of(self, header: str | None) -> UUID:
        scheme, _, token = (header or "").partition(" ")
        try:
            if scheme != "Bearer":
                raise ValueError
            return UUID(token)
        except ValueError:
            raise Refused(Code.UNAUTHENTICATED, "Please provide valid credentials") from None


@dataclass
class Api:
    """A client of one tenant; ``official`` collects answers for the SDK's models."""

    rows: Rows
    engine: FakeEngine
    client: httpx.AsyncClient
    dsn: str = ""
    samples: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def tenant(self) -> UUID:
        return self.rows.tenant_id

    async def get(self, path: str, model: str = "", kind: str = "object", **query: Any) -> Any:
        """The JSON of a GET that must succeed; ``{tenant}`` in the path is filled in."""
        response = await self.client.get(path.format(tenant=self.tenant), params=query)
        assert response.status_code == 200, response.text
        self.keep(response, model, kind)
        return response.json()

    async def post(self, path: str, body: Any, model: str = "") -> Any:
        response = await self.client.post(path.format(tenant=self.tenant), json=body)
        assert response.status_code == 200, response.text
        self.keep(response, model, "object")
        return response.json()

    async def refused(self, method: str, path: str, **more: Any) -> tuple[int, str, str | None]:
        """Status, description and field of an answer with one error."""
        response = await self.client.request(method, path.format(tenant=self.tenant), **more)
        [error] = response.json()["errors"]
        assert set(error) <= {"description", "field"}
        return response.status_code, error["description"], error.get("field")

    def keep(self, response: httpx.Response, model: str, kind: str) -> None:
        assert response.headers["content-type"].startswith("application/json")
        if model:
            self.samples.append((model, kind, response.text))


class OfficialModels:
    """The official SDK's models, in a process of their own for the whole session."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [OFFICIAL_PYTHON, OFFICIAL_MODELS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def check(self, sample: tuple[str, str, str]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(sample) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def official_models() -> Iterator[OfficialModels]:
    if not OFFICIAL_PYTHON.exists():
        pytest.fail("the official SDK is not installed: `make test` installs it")
    models = OfficialModels()
    yield models
    models.close()


@pytest.fixture
async def api(database: str, official_models: OfficialModels) -> AsyncIterator[Api]:
    """Every answer read with a model's name is parsed by the official SDK after the test."""
    rows = await Rows.open(database)
    pool = await open_read_pool(database, connections_max=4)
    engine = FakeEngine(pool)
    settings = RestSettings("http://localhost:8080", body_bytes_max=BODY_BYTES_MAX)
    app = create_app(engine, settings, FakeAuthenticator())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {rows.tenant_id}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        api = Api(rows, engine, client, database)
        yield api
    await pool.close()
    await rows.close()
    for sample in api.samples:
        assert official_models.check(sample) == "ok"
