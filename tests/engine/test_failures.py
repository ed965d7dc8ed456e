"""What faults must not do: failed statements, lost connections, lost commits, lost leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import Status
from hatchet_engine.shards import lease as leases
from hatchet_engine.store import transactions
from hatchet_engine.turn import trigger
from hatchet_engine.turn.commands import (
    PutWorkflow,
    Report,
    ReportKind,
    ReportTasks,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.connection import prepare_writer
from hatchet_engine.turn.failed import ConnectionLost
from hatchet_engine.turn.schedule_commands import CreateCron, DeleteCron, ScheduleRuns
from tests.support.engine import START_MS, TENANT, Harness, standing_engine
from tests.support.flaky import Commit, FlakyConnection
from tests.support.invariants import check_all, check_recovery
from tests.support.rules import cancel, outcome, refused, replay, status

BAD = '{"mark":"bad"}'


class Flaky:
    """An engine on a connection that fails at will; its loop may die."""

    connection: FlakyConnection
    loop: asyncio.Task[None]

    def __init__(self, h: Harness, dsn: str) -> None:
        self.h = h
        self._dsn = dsn

    async def connect(self) -> None:
        """What a node does: a connection, recovery, and the loop."""
        writer = await asyncpg.connect(self._dsn)
        await prepare_writer(writer)
        self.connection = FlakyConnection(writer)
        await self.h.engine.take_over(self.connection)  # type: ignore[arg-type]
        self.loop = asyncio.create_task(self.h.engine.run())

    async def lost(self) -> None:
        """Wait until the engine has lost its connection."""
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionLost):
                await self.loop

    async def reconnect(self) -> None:
        await self.connection.close()
        await self.connect()

    async def check(self) -> None:
        await self.h.settle()
        await check_all(self.h.engine, self.h.pool)
        await check_recovery(self.h.engine, self.connection.connection)


@pytest.fixture
async def flaky(clean_database: str) -> AsyncIterator[Flaky]:
    async with standing_engine(clean_database) as h:
        one = Flaky(h, clean_database)
        await one.connect()
        try:
            yield one
            await one.check()
        finally:
            one.loop.cancel()
            await asyncio.gather(one.loop, return_exceptions=True)
            await one.connection.close()


def trigger_of(*texts: str) -> TriggerRuns:
    return TriggerRuns(TENANT, [TriggerItem("hello", text) for text in texts])


def fails_for_bad(statement: str, arguments: tuple[Any, ...]) -> None:
    if any(BAD in argument for argument in arguments if isinstance(argument, tuple | list)):
        raise asyncpg.CheckViolationError("marked as bad")


# ------------------------------------------------------------ one culprit


@pytest.mark.parametrize("position", [0, 3, 7])
async def test_only_the_culprit_gets_an_error(flaky: Flaky, position: int) -> None:
    h = flaky.h
    await h.put()
    worker = await h.worker()
    flaky.connection.before_execute = fails_for_bad
    texts = ["{}"] * 8
    texts[position] = BAD
    futures = [h.engine.enter(trigger_of(text)) for text in texts]
    answers = await asyncio.gather(*futures, return_exceptions=True)
    for index, answer in enumerate(answers):
        if index == position:
            assert isinstance(answer, asyncpg.CheckViolationError)
        else:
            assert isinstance(answer, list)
    await h.settle()
    assert await h.count("task") == 7
    assert sorted(task.task_id for task in worker.started) == sorted(
        answer[0] for answer in answers if isinstance(answer, list)
    )
    await flaky.check()


async def test_two_culprits_among_many(flaky: Flaky) -> None:
    h = flaky.h
    await h.put()
    flaky.connection.before_execute = fails_for_bad
    texts = [BAD if index in (2, 11) else "{}" for index in range(16)]
    futures = [h.engine.enter(trigger_of(text)) for text in texts]
    answers = await asyncio.gather(*futures, return_exceptions=True)
    assert [isinstance(answer, Exception) for answer in answers] == [text == BAD for text in texts]
    assert await h.count("task") == 14


async def test_null_character_smuggled_past_the_edge_is_bad_input(
    flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the check to miss one, Postgres refuses it: no partial write, and a plain answer."""
    h = flaky.h
    await h.put()
    monkeypatch.setattr(trigger, "check_object", lambda text, *_, **__: text)
    good = [h.engine.enter(trigger_of("{}")) for _ in range(3)]
    bad = h.engine.enter(trigger_of("{}", '{"a":"\x00"}'))
    with refused(Code.INVALID_ARGUMENT, "can't be stored"):
        await bad
    assert all(await asyncio.gather(*good))
    assert await h.count("task") == 3
    await flaky.check()


async def test_failed_turn_undoes_its_timers_and_repeats_them(flaky: Flaky) -> None:
    """The due timers of a failed turn are not lost with it."""
    h = flaky.h
    await h.put(execution_timeout_ms=5_000)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    flaky.connection.before_execute = fails_for_bad
    bad = h.engine.enter(trigger_of(BAD))
    h.clock.advance(5_000)
    with pytest.raises(asyncpg.CheckViolationError):
        await bad
    await h.settle()
    assert await status(h, run) is Status.FAILED
    assert len(worker.cancels) == 1


async def test_backlog_goes_on_after_a_failed_turn(flaky: Flaky) -> None:
    """The windows are read anew without waiting for another command."""
    h = flaky.h
    await h.put()
    await h.trigger(count=5)
    worker = await h.worker(open=False)
    flaky.connection.before_execute = fails_for_bad
    bad = h.engine.enter(trigger_of(BAD))
    opened = asyncio.create_task(worker.open())
    with pytest.raises(asyncpg.CheckViolationError):
        await bad
    await opened
    await h.settle()
    assert len(worker.started) == 5


async def test_session_that_raises_does_not_repeat_the_turn(flaky: Flaky) -> None:
    h = flaky.h
    await h.put()
    worker = await h.worker()

    def explode(*_: object) -> None:
        raise RuntimeError("a bug in a transport")

    worker.deliver = explode  # type: ignore[method-assign]
    (run,) = await h.trigger()
    assert await h.count("task") == 1
    assert await status(h, run) is Status.RUNNING


# ------------------------------------------------------------ the connection is lost


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        ConnectionResetError("reset by peer"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_connection_lost_before_the_write_repeats_the_turn(
    flaky: Flaky, error: Exception
) -> None:
    h = flaky.h
    await h.put()

    def lose(statement: str, arguments: object) -> None:
        raise error

    flaky.connection.before_execute = lose
    futures = [h.engine.enter(trigger_of("{}")) for _ in range(3)]
    await flaky.lost()
    assert not any(future.done() for future in futures)
    await flaky.reconnect()
    runs = [run for (run,) in await asyncio.gather(*futures)]
    rows = await h.fetch("select id from task order by id")
    assert [row["id"] for row in rows] == runs  # each once, in the order they came


@pytest.mark.parametrize("commit", list(Commit), ids=lambda commit: commit.name)
async def test_trigger_with_lost_commit_is_applied_once_and_answered(
    flaky: Flaky, commit: Commit
) -> None:
    h = flaky.h
    await h.put()
    worker = await h.worker()
    flaky.connection.commit = commit
    futures = [h.engine.enter(trigger_of("{}", "{}")) for _ in range(3)]
    await flaky.lost()
    assert not any(future.done() for future in futures)
    assert worker.started == []
    await flaky.reconnect()
    runs = [run for two in await asyncio.gather(*futures) for run in two]
    assert len(set(runs)) == 6
    rows = await h.fetch("select id from task order by id")
    assert [row["id"] for row in rows] == sorted(runs)
    await h.settle()
    assert sorted(task.task_id for task in worker.started) == sorted(runs)
    assert all(task.attempt == 0 for task in worker.started)
    await flaky.check()


@pytest.mark.parametrize("commit", list(Commit), ids=lambda commit: commit.name)
async def test_reports_with_lost_commit_are_applied_once(flaky: Flaky, commit: Commit) -> None:
    h = flaky.h
    await h.put(retries=5)
    worker = await h.worker(slots=2)
    completes, fails, waits = await h.trigger(count=3)
    await worker.next(2)
    flaky.connection.commit = commit
    reports = [
        Report(completes, 0, ReportKind.COMPLETED, '{"x":1}'),
        Report(fails, 0, ReportKind.FAILED, "boom"),
    ]
    future = h.engine.enter(ReportTasks(TENANT, reports))
    await flaky.lost()
    await flaky.reconnect()
    assert await future == [True, True]
    await h.settle()
    assert await status(h, completes) is Status.COMPLETED
    assert [(task.task_id, task.attempt) for task in worker.started[2:]] == [(fails, 1), (waits, 0)]
    rows = await h.fetch("select 1 from task_event where task_id = $1 and kind = 1", fails)
    assert len(rows) == 1
    assert (await h.result(completes)).tasks[0].output == '{"x":1}'


@pytest.mark.parametrize("commit", list(Commit), ids=lambda commit: commit.name)
@pytest.mark.parametrize("what", ["put", "cancel", "replay", "register", "open"])
async def test_any_command_with_lost_commit_is_applied_once(
    flaky: Flaky, what: str, commit: Commit
) -> None:
    h = flaky.h
    await h.put()
    (run,) = await h.trigger()
    if what == "replay":
        await cancel(h, run)
    closed = await h.worker(open=False)
    task = TaskDefinition(name="new", action="new:new")
    put = PutWorkflow(TENANT, check(WorkflowDefinition(name="new", tasks=[task])))
    flaky.connection.commit = commit
    call: asyncio.Task[Any] = asyncio.create_task(
        {
            "put": lambda: h.engine.submit(put),
            "cancel": lambda: cancel(h, run),
            "replay": lambda: replay(h, run),
            "register": lambda: h.worker("other", open=False),
            "open": closed.open,
        }[what]()
    )
    await flaky.lost()
    assert not call.done()
    await flaky.reconnect()
    answer = await call
    await h.settle()
    if what == "put":
        assert answer.number == 1
        assert await h.count("workflow") == 2
        assert await h.count("workflow_version") == 2
    elif what == "cancel":
        assert answer == [run]
        assert (await outcome(h, run))["attempt"] == 0
    elif what == "replay":
        assert answer == [run]
        (row,) = await h.fetch("select attempt from queue_item")
        assert row["attempt"] == 1
    elif what == "register":
        assert await h.count("worker") == 2
    else:
        assert [task.task_id for task in closed.started] == [run]


async def test_lost_commit_of_one_half_forgets_no_other_command(flaky: Flaky) -> None:
    """A turn fails, is run in halves, and the commit of a half gets lost: the other half waits."""
    h = flaky.h
    await h.put()

    def fail_then_lose(statement: str, arguments: tuple[Any, ...]) -> None:
        fails_for_bad(statement, arguments)
        flaky.connection.commit = Commit.LOST_AFTER

    flaky.connection.before_execute = fail_then_lose
    futures = [h.engine.enter(trigger_of(text)) for text in ("{}", "{}", BAD, "{}")]
    await flaky.lost()
    await flaky.reconnect()
    answers = await asyncio.gather(*futures, return_exceptions=True)
    kinds = [type(answer) for answer in answers]
    # On the new connection nothing is marked any more, so the bad one is stored as well.
    assert kinds == [list, list, list, list]
    assert await h.count("task") == 4


async def test_a_transaction_that_another_server_does_not_know_is_not_stored(h: Harness) -> None:
    async with h.pool.acquire() as connection:
        async with connection.transaction():
            id = await transactions.current_id(connection)
            assert not await transactions.committed(connection, str(int(id) + 1_000_000))
        assert await transactions.committed(connection, id)


@pytest.mark.parametrize("commit", list(Commit))
async def test_what_is_scheduled_at_a_lost_commit_is_there_once(
    flaky: Flaky, commit: Commit
) -> None:
    """SC-5. Such a turn has no runs by which it could be known again."""
    h = flaky.h
    await h.put()
    flaky.connection.commit = commit
    schedule = h.engine.enter(ScheduleRuns(TENANT, "hello", [START_MS + 1_000]))
    cron = h.engine.enter(CreateCron(TENANT, "hello", "c", "0 * * * *"))
    await flaky.lost()
    await flaky.reconnect()
    (scheduled_id,) = (await schedule).ids
    assert [row["id"] for row in await h.fetch("select id from scheduled_run")] == [scheduled_id]
    cron_id = await cron
    assert [row["id"] for row in await h.fetch("select id from cron")] == [cron_id]
    flaky.connection.commit = commit
    deleted = h.engine.enter(DeleteCron(TENANT, cron_id))
    await flaky.lost()
    await flaky.reconnect()
    await deleted
    assert await h.count("cron") == 0


async def test_cancelled_loop_forgets_no_caller(flaky: Flaky) -> None:
    """The node stops the loop in mid-turn when its lease is lost; callers must be answered."""
    h = flaky.h
    await h.put()
    future = h.engine.enter(trigger_of("{}"))
    while not h.engine._busy:
        await asyncio.sleep(0)
    flaky.loop.cancel()
    await asyncio.gather(flaky.loop, return_exceptions=True)
    assert not future.done()
    await flaky.reconnect()
    assert len(await future) == 1
    assert await h.count("task") == 1


async def test_resigned_engine_refuses_and_tells_the_truth_later(flaky: Flaky) -> None:
    h = flaky.h
    await h.put()
    worker = await h.worker()
    flaky.connection.commit = Commit.LOST_AFTER
    doubtful = h.engine.enter(trigger_of("{}"))
    await flaky.lost()
    waiting = h.engine.enter(trigger_of("{}"))
    h.engine.resign()
    for future in (doubtful, waiting, h.engine.enter(trigger_of("{}"))):
        with refused(Code.UNAVAILABLE):
            await future
    await flaky.reconnect()
    await h.settle()
    # What had been stored is carried on, although its caller was told to try again.
    assert await h.count("task") == 1
    assert len(worker.started) == 1


async def test_recovery_gives_the_state_that_was(flaky: Flaky) -> None:
    h = flaky.h
    await h.put("a", retries=2, backoff_factor=60.0)
    await h.put("b", slots={"default": 2})
    worker = await h.worker("a", "b", slots=5)
    await h.trigger("a", count=3)
    await h.trigger("b", count=4, priority=3)
    await worker.fail(worker.started[0])
    await flaky.check()
    await flaky.reconnect()
    await flaky.check()


# ------------------------------------------------------------ the lease


@pytest.fixture
async def nodes(clean_database: str) -> AsyncIterator[list[asyncpg.Connection]]:
    """Connections of two nodes, and the shard free."""
    connections = [await asyncpg.connect(clean_database) for _ in range(2)]
    await connections[0].execute("update shard set lease_until = null, owner = null")
    yield connections
    for connection in connections:
        if not connection.is_closed():
            await connection.close()


A, B = uuid4(), uuid4()


async def take(connection: asyncpg.Connection, node: UUID) -> leases.Lease | None:
    return await leases.take(connection, node, "node")


async def test_lease_second_node_stands_by(nodes: list[asyncpg.Connection]) -> None:
    first, second = nodes
    lease = await take(first, A)
    assert lease is not None
    assert await take(second, B) is None
    row = await second.fetchrow("select epoch, owner from shard")
    assert row is not None
    assert tuple(row) == (lease.epoch, A)


async def test_lease_given_back_is_taken_at_once(nodes: list[asyncpg.Connection]) -> None:
    first, second = nodes
    lease = await take(first, A)
    assert lease is not None
    await leases.give_back(first, lease)
    await first.close()
    newer = await take(second, B)
    assert newer is not None
    assert newer.epoch == lease.epoch + 1


async def test_lease_of_a_dead_connection_is_taken_at_once(nodes: list[asyncpg.Connection]) -> None:
    first, second = nodes
    assert await take(first, A) is not None
    await first.close()
    assert await take(second, B) is not None


async def test_lease_expired_evicts_the_owner_who_cannot_commit_any_more(
    nodes: list[asyncpg.Connection],
) -> None:
    first, second = nodes
    assert await take(first, A) is not None
    transaction = first.transaction()
    await transaction.start()
    await first.execute("insert into setting values ('x', '1')")
    await second.execute("update shard set lease_until = clock_timestamp() - interval '1 ms'")
    newer = await take(second, B)
    assert newer is not None
    with suppress(Exception):  # the client library shows a lost connection in many ways
        await transaction.commit()
    first.terminate()
    assert await second.fetch("select 1 from setting where name = 'x'") == []


async def test_lease_renewed_is_not_taken(nodes: list[asyncpg.Connection]) -> None:
    first, second = nodes
    lease = await take(first, A)
    assert lease is not None
    await second.execute("update shard set lease_until = clock_timestamp() - interval '1 ms'")
    assert await leases.renew(second, lease)
    assert await take(second, B) is None
    until = await second.fetchval("select lease_until from shard")
    assert until - await leases.database_now(second) <= timedelta(seconds=leases.LEASE_S)


async def test_lease_that_changed_hands_is_not_renewed(nodes: list[asyncpg.Connection]) -> None:
    first, second = nodes
    lease = await take(first, A)
    assert lease is not None
    await first.close()
    assert await take(second, B) is not None
    assert not await leases.renew(second, lease)


async def test_evicted_engine_loses_its_connection_and_keeps_its_callers(flaky: Flaky) -> None:
    """The real thing: the backend is ended by another node while commands are coming in."""
    h = flaky.h
    await h.put()
    pid = flaky.connection.get_server_pid()
    await h.pool.fetchval("select pg_terminate_backend($1, 5000)", pid)
    future = h.engine.enter(trigger_of("{}"))
    await flaky.lost()
    assert not future.done()
    await flaky.reconnect()
    assert len(await future) == 1
    assert await h.count("task") == 1


def test_refused_is_no_database_error() -> None:
    assert not issubclass(Refused, asyncpg.PostgresError | OSError)
