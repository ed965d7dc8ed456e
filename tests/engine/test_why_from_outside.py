"""Every blocker of a real engine as REST, the command line and the SDK show it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from typer.testing import CliRunner

from hatchet import ClientConfig, Hatchet
from hatchet.clients.rest.exceptions import NotFoundException
from hatchet_cli.main import app as command_line
from hatchet_engine.app.http import HttpServer
from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    Condition,
    RateLimitUse,
    TaskDefinition,
)
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.why import Kind
from hatchet_engine.transports.rest.app import create_app
from hatchet_engine.transports.rest.settings import RestSettings
from hatchet_engine.turn.commands import Pause, PauseKind
from hatchet_engine.turn.schedule_commands import ScheduleRuns
from tests.cli.conftest import make_token
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rest import FakeEngine
from tests.support.rules import OTHER_TENANT

pytestmark = pytest.mark.usefixtures("forget_definitions")

RULE = ConcurrencyRule("'key'", 1, "GROUP_ROUND_ROBIN")


class TokenIsTenant:
    """Any token speaks for the tenant of this test."""

    def __init__(self) -> None:
        self.tenant = TENANT

    def tenant_of(self, header: str | None) -> UUID:
        return self.tenant


@dataclass
class Outside:
    """What clients see of an engine."""

    h: Harness
    fake: FakeEngine
    who: TokenIsTenant
    url: str
    sdk: Hatchet
    environ: dict[str, str]

    async def rest(self, id: UUID) -> httpx.Response:
        await self.h.settle()
        self.fake.hot = self.h.engine.hot
        async with httpx.AsyncClient(headers={"authorization": "Bearer x"}) as client:
            return await client.get(f"{self.url}/api/v1/stable/tasks/{id}/why")

    async def cli(self, *arguments: str) -> str:
        done = await asyncio.to_thread(
            CliRunner().invoke, command_line, arguments, env=self.environ
        )
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture(autouse=True)
def no_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No dotenv file of the developer is read."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def outside(h: Harness) -> AsyncIterator[Outside]:
    fake, who = FakeEngine(h.pool), TokenIsTenant()
    fake.clock = h.clock  # type: ignore[assignment]
    server = HttpServer("127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.port}"
    await server.start(create_app(fake, RestSettings(url), who))
    token = make_token(url)
    sdk = Hatchet(config=ClientConfig(token=token))
    environ = {"HATCHET_CLIENT_TOKEN": token, "COLUMNS": "200", "NO_COLOR": "1"}
    yield Outside(h, fake, who, url, sdk, environ)
    sdk.close()
    await server.stop()


# ---------------------------------------------------------------- a way into each blocker


async def no_worker(h: Harness) -> UUID:
    await h.put()
    return (await h.trigger())[0]


async def labels(h: Harness) -> UUID:
    await h.put(labels={"gpu": DesiredLabel("yes", True)})
    await h.worker()
    return (await h.trigger())[0]


async def slots(h: Harness) -> UUID:
    await h.put(slots={"default": 3})
    await h.worker(slots=2)
    return (await h.trigger())[0]


async def workers_full(h: Harness) -> UUID:
    await h.put()
    await h.worker(slots=1)
    return (await h.trigger(count=2))[1]


async def concurrency(h: Harness) -> UUID:
    await h.put(concurrency=[RULE])
    await h.worker()
    return (await h.trigger(count=2))[1]


async def rate_limit(h: Harness) -> UUID:
    await h.put(rate_limits=[RateLimitUse("api", 1)])
    await h.worker()
    return (await h.trigger())[0]


async def paused(h: Harness) -> UUID:
    workflow = await h.put()
    await h.engine.submit(Pause(TENANT, PauseKind.WORKFLOW, str(workflow.workflow_id)))
    return (await h.trigger())[0]


async def _member(h: Harness, step: int, *tasks: TaskDefinition) -> UUID:
    await h.put_dag("dag", *tasks)
    await h.trigger("dag")
    (row,) = await h.fetch("select id from task where kind = 2 and step = $1", step)
    found: UUID = row["id"]
    return found


def task(name: str, *parents: str, **more: object) -> TaskDefinition:
    return TaskDefinition(name=name, action=f"{name}:{name}", parents=list(parents), **more)  # type: ignore[arg-type]


async def parents(h: Harness) -> UUID:
    return await _member(h, 1, task("a"), task("b", "a"))


async def conditions(h: Harness) -> UUID:
    event = Condition("event", "QUEUE", "e", "g", event_key="go")
    return await _member(h, 0, task("a", conditions=[event]))


async def backoff(h: Harness) -> UUID:
    await h.put(retries=1, backoff_factor=2.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail(worker.started[0])
    return run


async def batch(h: Harness) -> UUID:
    await h.put(batch=BatchConfig(2, 60_000))
    await h.worker()
    return (await h.trigger())[0]


async def scheduled(h: Harness) -> UUID:
    await h.put()
    return (await h.engine.submit(ScheduleRuns(TENANT, "hello", [START_MS + 60_000]))).ids[0]


async def running(h: Harness) -> UUID:
    await h.put()
    await h.worker()
    return (await h.trigger())[0]


WAYS: dict[Kind, Callable[[Harness], Awaitable[UUID]]] = {
    Kind.NO_WORKER: no_worker,
    Kind.LABELS: labels,
    Kind.SLOTS: slots,
    Kind.WORKERS_FULL: workers_full,
    Kind.CONCURRENCY: concurrency,
    Kind.RATE_LIMIT: rate_limit,
    Kind.PAUSED: paused,
    Kind.PARENTS: parents,
    Kind.CONDITIONS: conditions,
    Kind.BACKOFF: backoff,
    Kind.SCHEDULED: scheduled,
    Kind.BATCH: batch,
    Kind.RUNNING: running,
}
# Workflows can't be sticky yet; the others tell of a moment and of another node.
WITHOUT_A_WAY = {Kind.STICKY, Kind.SOON, Kind.STANDBY}


def test_each_kind_has_a_way() -> None:
    assert set(WAYS) | WITHOUT_A_WAY == set(Kind)


@pytest.mark.parametrize("kind", WAYS, ids=str)
async def test_each_blocker_is_told_everywhere(outside: Outside, kind: Kind) -> None:
    id = await WAYS[kind](outside.h)
    response = await outside.rest(id)
    assert response.status_code == 200, response.text
    answer = response.json()
    first = answer["blockers"][0]
    named = "run" if kind is Kind.SCHEDULED else "task"
    assert (answer[named], first["kind"]) == (str(id), kind)
    assert answer["message"].startswith(first["message"])
    assert answer["state"] == ("RUNNING" if kind is Kind.RUNNING else "QUEUED")
    assert None not in first.values()

    assert json.loads(await outside.cli("why", str(id), "--json")) == answer
    told = await outside.cli("why", str(id))
    assert f"{kind} " in told
    assert first["message"] in told
    assert answer.get("remedy", "") in told

    found = await outside.sdk.runs.aio_why(str(id))
    assert found == await asyncio.to_thread(outside.sdk.runs.why, str(id))
    assert found.model_dump(mode="json", by_alias=True, exclude_none=True) == answer


async def test_details_of_holders_and_of_full_workers(outside: Outside) -> None:
    waiting = await concurrency(outside.h)
    (holder,) = await outside.h.fetch("select holder_id from concurrency_place")
    told = await outside.cli("why", str(waiting))  # a standby: nothing in memory
    assert str(holder["holder_id"]) not in told
    assert "does not own the shard" in told
    answer = (await outside.rest(waiting)).json()
    assert answer["blockers"][0]["holders"] == [
        {"id": str(holder["holder_id"]), "workflow": "hello", "since": "2026-01-01T00:00:00Z"}
    ]
    assert answer["place"] == {
        "of": "the line of concurrency key 'key'",
        "position": 1,
        "more": False,
    }
    told = await outside.cli("why", str(waiting))
    assert f"hello {holder['holder_id']}, " in told
    assert "number 1 in the line of concurrency key 'key'" in told


async def test_who_holds_the_slots(outside: Outside) -> None:
    waiting = await workers_full(outside.h)
    await outside.rest(waiting)
    (busy,) = outside.h.engine.hot.running
    assert f"w: hello {busy}, " in await outside.cli("why", str(waiting))


async def test_runs_get_names_the_first_blocker(outside: Outside) -> None:
    id = await no_worker(outside.h)
    await outside.rest(id)
    told = await outside.cli("runs", "get", str(id))
    assert "No worker offers hello:hello." in told


async def test_a_run_of_several_tasks(outside: Outside) -> None:
    await parents(outside.h)
    (row,) = await outside.h.fetch("select id from task where kind = 1")
    answer = (await outside.rest(row["id"])).json()
    assert "task" not in answer
    assert [(one["taskName"], one["kind"]) for one in answer["blockers"]] == [
        ("a", "NO_WORKER"),
        ("b", "PARENTS"),
    ]
    told = await outside.cli("why", str(row["id"]))
    assert "a NO_WORKER" in told
    assert "b PARENTS" in told


async def test_an_ended_run(outside: Outside) -> None:
    id = await running(outside.h)
    worker = outside.h.workers[0]
    await worker.complete(worker.started[0])
    answer = (await outside.rest(id)).json()
    assert (answer["state"], answer["blockers"]) == ("COMPLETED", [])
    assert "It has ended: COMPLETED" in await outside.cli("why", str(id))


async def test_unknown_ids_and_those_of_other_tenants(outside: Outside) -> None:
    id = await no_worker(outside.h)
    unknown = uuid4()
    response = await outside.rest(unknown)
    assert response.status_code == 404
    assert str(unknown) in response.json()["errors"][0]["description"]
    with pytest.raises(NotFoundException):
        await outside.sdk.runs.aio_why(str(unknown))
    done = await asyncio.to_thread(
        CliRunner().invoke, command_line, ["why", str(unknown)], env=outside.environ
    )
    assert done.exit_code != 0
    outside.who.tenant = OTHER_TENANT
    assert (await outside.rest(id)).status_code == 404
    assert (await outside.rest("no-id")).status_code == 400  # type: ignore[arg-type]
