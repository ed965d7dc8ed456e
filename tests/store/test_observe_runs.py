"""Run lists and details against real tables."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.observe import runs, task_events, tasks
from hatchet_engine.observe.rows import task_rows
from hatchet_engine.observe.run_query import RunQuery, containments
from tests.support.rows import NOW_MS, Rows, at


async def ids_of(
    pool: asyncpg.Pool, query: RunQuery, offset: int = 0, limit: int = 50
) -> list[UUID]:
    page = await runs.run_list(pool, query, offset=offset, limit=limit, payloads=False)
    return [row.id for row in page.rows]


async def one_of_each(rows: Rows) -> dict[Status, UUID]:
    workflow = await rows.workflow()
    return {status: await rows.run(workflow, status) for status in Status}


async def test_details_of_a_finished_run(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await rows.workflow()
    run = await rows.run(
        workflow, Status.COMPLETED, output='{"big": 123456789012345678901}', metadata={"a": "b"}
    )
    details = await runs.run_details(pool, rows.tenant_id, run)
    assert details is not None
    assert (details.run_id, details.status, details.done) == (run, Status.COMPLETED, True)
    assert (details.input, details.metadata) == ('{"n": 1}', '{"a": "b"}')
    [task] = details.tasks
    assert (task.task_id, task.task_name, task.status) == (run, "step", Status.COMPLETED)
    assert task.output == '{"big": 123456789012345678901}'
    assert task.error is None


@pytest.mark.parametrize("status", list(Status))
async def test_status_follows_from_the_row_that_holds_the_task(
    rows: Rows, pool: asyncpg.Pool, status: Status
) -> None:
    run = await rows.run(await rows.workflow(), status, error="boom", attempt=2)
    assert await runs.run_status(pool, rows.tenant_id, run) is status
    [row] = await task_rows(pool, rows.tenant_id, [run], payloads=True)
    assert (row.status, row.attempt) == (status, 2)
    assert (row.finished_at is not None) == status.final
    assert row.display_name == f"step-{NOW_MS}"


async def test_a_task_in_backoff_is_queued_with_its_next_attempt(
    rows: Rows, pool: asyncpg.Pool
) -> None:
    run = await rows.run(await rows.workflow(), Status.QUEUED, attempt=3, delayed=True)
    [row] = await task_rows(pool, rows.tenant_id, [run], payloads=True)
    assert (row.status, row.attempt) == (Status.QUEUED, 3)
    query = RunQuery(rows.tenant_id, statuses=[Status.QUEUED])
    assert await ids_of(pool, query) == [run]


async def test_other_tenants_do_not_exist(rows: Rows, database: str, pool: asyncpg.Pool) -> None:
    other = await Rows.open(database)
    for status, run in (await one_of_each(other)).items():
        assert await runs.run_details(pool, rows.tenant_id, run) is None
        assert await runs.run_status(pool, rows.tenant_id, run) is None
        assert await tasks.task_get(pool, rows.tenant_id, run) is None
        assert await ids_of(pool, RunQuery(rows.tenant_id, statuses=[status])) == []
        assert await runs.run_names(pool, rows.tenant_id, [run]) == []
    assert await ids_of(pool, RunQuery(rows.tenant_id)) == []
    await other.close()


async def test_every_set_of_statuses_finds_exactly_its_runs(rows: Rows, pool: asyncpg.Pool) -> None:
    by_status = await one_of_each(rows)
    for bits in range(1 << len(Status)):
        wanted = [status for status in Status if bits >> status & 1]
        found = await ids_of(pool, RunQuery(rows.tenant_id, statuses=wanted))
        expected = [by_status[status] for status in wanted or Status]
        assert found == sorted(expected, reverse=True)
        assert await runs.run_count(pool, RunQuery(rows.tenant_id, statuses=wanted)) == len(found)


async def test_pages_are_disjoint_and_newest_first(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await rows.workflow()
    made = [
        await rows.run(workflow, Status(n % 5), created_ms=NOW_MS + n, attempt=n % 2)
        for n in range(25)
    ]
    for statuses in ((), (Status.QUEUED, Status.FAILED, Status.COMPLETED)):
        wanted = [run for n, run in enumerate(made) if not statuses or Status(n % 5) in statuses]
        query = RunQuery(rows.tenant_id, statuses=statuses)
        pages = [await ids_of(pool, query, offset, 4) for offset in range(0, 28, 4)]
        assert [run for page in pages for run in page] == wanted[::-1]


async def test_window_is_inclusive(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await rows.workflow()
    made = [await rows.run(workflow, created_ms=NOW_MS + n) for n in range(5)]
    query = RunQuery(rows.tenant_id, since=at(NOW_MS + 1), until=at(NOW_MS + 3))
    assert await ids_of(pool, query) == made[1:4][::-1]


async def test_filters(rows: Rows, pool: asyncpg.Pool) -> None:
    one, two = await rows.workflow("one"), await rows.workflow("two")
    worker, parent = await rows.worker(), rows.ids.new(NOW_MS)
    plain = await rows.run(one)
    child = await rows.run(two, Status.COMPLETED, parent_task_id=parent)
    busy = await rows.run(two, Status.RUNNING, worker_id=worker)
    done = await rows.run(one, Status.FAILED, worker_id=worker)
    tenant = rows.tenant_id
    assert await ids_of(pool, RunQuery(tenant, workflow_ids=[one.id])) == [done, plain]
    everything = [done, busy, child, plain]
    assert await ids_of(pool, RunQuery(tenant, workflow_ids=[one.id, two.id])) == everything
    assert await ids_of(pool, RunQuery(tenant, parent_task_id=parent)) == [child]
    assert await ids_of(pool, RunQuery(tenant, worker_id=worker)) == [done, busy]
    query = RunQuery(tenant, worker_id=worker, statuses=[Status.QUEUED, Status.RUNNING])
    assert await ids_of(pool, query) == [busy]
    assert await ids_of(pool, RunQuery(tenant, event_id=parent)) == []


async def test_metadata_compares_texts_of_top_level_values(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await rows.workflow()
    text = await rows.run(workflow, metadata={"k": "1", "x": "y"})
    number = await rows.run(workflow, metadata={"k": 1})
    boolean = await rows.run(workflow, metadata={"k": True})
    await rows.run(workflow)
    tenant = rows.tenant_id

    async def found(*pairs: tuple[str, str], every: bool = False) -> set[UUID]:
        return set(await ids_of(pool, RunQuery(tenant, metadata=pairs, metadata_all=every)))

    assert await found(("k", "1")) == {text, number}
    assert await found(("k", "true")) == {boolean}
    assert await found(("k", "true"), ("x", "y")) == {text, boolean}
    assert await found(("k", "1"), ("x", "y"), every=True) == {text}
    assert await found(('"}', "1e99999")) == set()
    assert await found(("k", "9" * 200_000)) == set()


def test_containments_never_reach_what_postgres_refuses() -> None:
    assert containments("k", "1e999999") == ['{"k":"1e999999"}']
    assert containments("k", " 7 ") == ['{"k":" 7 "}', '{"k":7}']
    assert containments("k", "null") == ['{"k":"null"}']


async def test_ids_as_json(rows: Rows, pool: asyncpg.Pool) -> None:
    import orjson

    assert await runs.run_ids_as_json(pool, RunQuery(rows.tenant_id)) == "[]"
    made = set((await one_of_each(rows)).values())
    text = await runs.run_ids_as_json(pool, RunQuery(rows.tenant_id))
    assert {UUID(one) for one in orjson.loads(text)} == made


async def test_dag_runs_show_their_members(rows: Rows, pool: asyncpg.Pool) -> None:
    steps = [
        TaskDefinition(name="load", action="pipeline:load"),
        TaskDefinition(name="store", action="pipeline:store", parents=["load"]),
    ]
    workflow = await rows.workflow("pipeline", steps)
    run = await rows.run(workflow, kind=TaskKind.DAG)
    assert await runs.run_status(pool, rows.tenant_id, run) is Status.QUEUED
    first = await rows.run(
        workflow, Status.COMPLETED, kind=TaskKind.MEMBER, run_id=run, output='{"a": 1}'
    )
    second = await rows.run(workflow, Status.QUEUED, kind=TaskKind.MEMBER, run_id=run, step=1)
    tenant = rows.tenant_id

    view = await runs.run_get(pool, tenant, run)
    assert view is not None
    assert [task.id for task in view.tasks] == [first, second]
    assert [task.task_name for task in view.tasks] == ["load", "store"]
    assert view.run.status is Status.RUNNING
    assert view.run.display_name.startswith("pipeline-")
    assert await runs.run_status(pool, tenant, run) is Status.RUNNING

    assert await runs.run_get(pool, tenant, first) is None
    assert await tasks.task_get(pool, tenant, run) is None
    assert await ids_of(pool, RunQuery(tenant)) == [run]
    assert await ids_of(pool, RunQuery(tenant, only_tasks=True)) == [second, first]
    page = await runs.run_list(pool, RunQuery(tenant), offset=0, limit=5, payloads=True)
    assert {task.id for task in page.members[run]} == {first, second}


async def test_history_of_a_task_that_was_retried(rows: Rows, pool: asyncpg.Pool) -> None:
    worker = await rows.worker()
    run = await rows.run(await rows.workflow(), Status.COMPLETED, attempt=1, output='{"a": 1}')
    times = {"assigned_ms": NOW_MS + 1, "started_ms": NOW_MS + 2}
    for kind, attempt, message, data in (
        (EventKind.ATTEMPT_FAILED, 0, "boom", times),
        (EventKind.RETRYING, 1, None, {"delay_ms": 1}),
        (EventKind.LATE_REPORT_REFUSED, 0, "late", None),
    ):
        await rows.event(run, kind, attempt, NOW_MS + 5, message, data, worker)
    found = await task_rows(pool, rows.tenant_id, [run], payloads=True)
    events = await task_events.task_events(pool, rows.tenant_id, found)
    assert [(event.type, event.attempt) for event in reversed(events)] == [
        ("CREATED", 0),
        ("QUEUED", 0),
        ("ASSIGNED", 0),
        ("STARTED", 0),
        ("FAILED", 0),
        ("RETRYING", 1),
        ("ASSIGNED", 1),
        ("STARTED", 1),
        ("FINISHED", 1),
    ]
    assert len({event.number for event in events}) == len(events)
    again = await task_events.task_events(pool, rows.tenant_id, found)
    assert [event.number for event in again] == [event.number for event in events]

    first = await tasks.task_get(pool, rows.tenant_id, run, 0)
    assert first is not None
    assert (first.task.status, first.task.error) == (Status.FAILED, "boom")
    assert (first.task.started_at, first.task.output) == (at(NOW_MS + 2), None)
    assert first.task.worker_id == worker
    assert await tasks.task_get(pool, rows.tenant_id, run, 2) is None


async def test_an_attempt_that_was_replayed_keeps_its_output(
    rows: Rows, pool: asyncpg.Pool
) -> None:
    run = await rows.run(await rows.workflow(), Status.QUEUED, attempt=1)
    await rows.event(
        run,
        EventKind.ENDED,
        0,
        NOW_MS + 100,
        '{"a": 1}',
        {
            "status": 2,
            "assigned_at": at(NOW_MS + 1),
            "started_at": at(NOW_MS + 2),
            "finished_at": at(NOW_MS + 3),
        },
    )
    await rows.event(run, EventKind.RETRIED_BY_USER, 1, NOW_MS + 100)
    view = await tasks.task_get(pool, rows.tenant_id, run, 0)
    assert view is not None
    assert (view.task.status, view.task.output) == (Status.COMPLETED, '{"a": 1}')
    assert view.task.finished_at == at(NOW_MS + 3)
    found = await task_rows(pool, rows.tenant_id, [run], payloads=True)
    events = await task_events.task_events(pool, rows.tenant_id, found)
    assert [(event.type, event.attempt) for event in events] == [
        ("QUEUED", 1),
        ("RETRIED_BY_USER", 1),
        ("FINISHED", 0),
        ("STARTED", 0),
        ("ASSIGNED", 0),
        ("QUEUED", 0),
        ("CREATED", 0),
    ]


async def test_spawned_children_are_counted(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await rows.workflow()
    parent = await rows.run(workflow, Status.RUNNING)
    for _ in range(3):
        await rows.run(workflow, parent_task_id=parent)
    view = await tasks.task_get(pool, rows.tenant_id, parent)
    assert view is not None
    assert view.child_count == 3
