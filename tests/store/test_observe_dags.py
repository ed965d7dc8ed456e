"""DAG runs: statuses, lists, outputs, timings, against real tables."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from hatchet_engine.domain.definition import Condition, TaskDefinition
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.observe import metrics, runs, task_events, tasks, timings
from hatchet_engine.observe.dags import ready_times
from hatchet_engine.observe.rows import task_rows
from hatchet_engine.observe.run_query import RunQuery
from tests.support.rows import NOW_MS, Rows, Workflow, at

QUEUED, RUNNING, COMPLETED = Status.QUEUED, Status.RUNNING, Status.COMPLETED
FAILED, CANCELLED = Status.FAILED, Status.CANCELLED
BLOCKED = {"blocked": True}


class OneConnection:
    """Looks like a pool."""

    def __init__(self, connection: Any) -> None:
        self.fetch = connection.fetch
        self.fetchval = connection.fetchval


async def pipeline(rows: Rows, name: str = "pipe") -> Workflow:
    """load -> store, and a second root beside them."""
    return await rows.workflow(
        name,
        [
            TaskDefinition(name="load", action=f"{name}:load"),
            TaskDefinition(name="store", action=f"{name}:store", parents=["load"]),
            TaskDefinition(name="beside", action=f"{name}:beside"),
        ],
    )


async def ids_of(pool: asyncpg.Pool, query: RunQuery) -> list[UUID]:
    page = await runs.run_list(pool, query, offset=0, limit=50, payloads=False)
    assert page.total == len(page.rows)
    assert await runs.run_count(pool, query) == len(page.rows)
    text = await runs.run_ids_as_json(pool, query)
    assert sorted(UUID(one) for one in orjson.loads(text)) == sorted(row.id for row in page.rows)
    return [row.id for row in page.rows]


STATES: list[tuple[str, dict[int, dict[str, Any]], Status]] = [
    ("nothing has begun", {}, QUEUED),
    ("one root is placed", {0: {"status": RUNNING}}, RUNNING),
    ("one root has ended", {0: {"status": COMPLETED}, 1: {}}, RUNNING),
    ("all members but one wait", {0: {"status": FAILED}, 1: BLOCKED}, RUNNING),
    ("a root is in backoff", {0: {"delayed": True, "attempt": 1, "retries": 1}}, RUNNING),
    ("a root waits again", {0: {"attempt": 1, "retries": 1}}, RUNNING),
    ("a replay has begun nothing yet", {0: {"attempt": 1}, 2: {"attempt": 1}}, QUEUED),
]


@pytest.mark.parametrize(("state", "members", "status"), STATES, ids=[s[0] for s in STATES])
async def test_a_run_is_running_from_the_first_placement_to_the_end(
    rows: Rows, pool: asyncpg.Pool, state: str, members: dict[int, Any], status: Status
) -> None:
    workflow = await pipeline(rows)
    special = {step: dict(one) for step, one in members.items()}
    run, _ = await rows.dag(workflow, special)
    tenant = rows.tenant_id
    assert await runs.run_status(pool, tenant, run) is status
    [row] = await task_rows(pool, tenant, [run], payloads=False)
    assert row.status is status
    for wanted in (QUEUED, RUNNING, COMPLETED):
        expected = [run] if wanted is status else []
        assert await ids_of(pool, RunQuery(tenant, statuses=[wanted])) == expected
    assert await ids_of(pool, RunQuery(tenant, statuses=[QUEUED, RUNNING])) == [run]
    counts = await metrics.status_counts(pool, RunQuery(tenant))
    assert {one for one, count in counts.items() if count} == {status}


async def test_a_run_that_waits_for_conditions(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await pipeline(rows)
    fresh, members = await rows.dag(workflow, {0: dict(BLOCKED), 2: dict(BLOCKED)})
    for position in (0, 1):
        await rows.wait(workflow, members[0], fresh, 0, position=position, event_key="go")
    begun, members = await rows.dag(
        workflow, {0: {"status": COMPLETED}, 1: dict(BLOCKED), 2: {"status": COMPLETED}}
    )
    await rows.wait(workflow, members[1], begun, 1, due_ms=NOW_MS + 5)
    tenant = rows.tenant_id
    assert await ids_of(pool, RunQuery(tenant, statuses=[QUEUED])) == [fresh]
    assert await ids_of(pool, RunQuery(tenant, statuses=[RUNNING])) == [begun]
    view = await tasks.task_get(pool, tenant, members[1])
    assert view is not None
    assert (view.task.status, view.task.begun) == (QUEUED, True)
    assert [(wait.due_at, wait.event_key, wait.met) for wait in view.waits] == [
        (at(NOW_MS + 5), None, False)
    ]
    [parent] = view.parents
    assert (parent.task_name, parent.status) == ("load", COMPLETED)


async def test_young_runs_tell_waiters_of_begun_tasks_only(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await pipeline(rows)
    run, members = await rows.dag(workflow, {0: {"status": FAILED, "error": "boom"}})
    details = await runs.run_details(pool, rows.tenant_id, run)
    assert details is not None
    assert (details.status, details.done, details.input) == (RUNNING, False, '{"n": 1}')
    assert [task.task_id for task in details.tasks] == [members[0], members[2]]
    assert await runs.run_details(pool, rows.tenant_id, members[1]) == details
    view = await runs.run_get(pool, rows.tenant_id, run)
    assert view is not None
    assert [task.id for task in view.tasks] == members
    assert [task.begun for task in view.tasks] == [True, False, True]
    assert {task.input for task in view.tasks} == {'{"n": 1}'}


async def test_output_and_error_come_from_the_members(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await pipeline(rows)
    big = '{"big": 123456789012345678901}'
    done, _ = await rows.dag(
        workflow,
        {
            0: {"status": COMPLETED, "output": big},
            1: {"status": COMPLETED, "skipped": True},
            2: {"status": COMPLETED},
        },
        status=COMPLETED,
    )
    view = await runs.run_get(pool, rows.tenant_id, done)
    assert view is not None
    assert view.run.output == f'{{"load": {big}, "store": {{"skipped": true}}, "beside": {{}}}}'
    assert (view.run.started_at, view.run.duration_ms) == (at(NOW_MS + 20), 10)
    failed, _ = await rows.dag(
        workflow,
        {
            0: {"status": FAILED, "error": "boom"},
            1: {"status": CANCELLED},
            2: {"status": COMPLETED},
        },
        status=FAILED,
    )
    query = RunQuery(rows.tenant_id)
    page = await runs.run_list(pool, query, offset=0, limit=5, payloads=False)
    assert [(row.id, row.error, row.output) for row in page.rows] == [
        (failed, "boom", None),
        (done, None, None),
    ]
    assert [task.skipped for task in page.members[done]] == [False, True, False]
    assert {task.input for task in page.members[done]} == {None}


async def test_children_of_a_page_cost_one_read(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await pipeline(rows)
    made = [await rows.dag(workflow) for _ in range(10)]
    await task_rows(pool, rows.tenant_id, [made[0][0]], payloads=False)  # the version is cached
    seen: list[str] = []
    async with pool.acquire() as connection:
        with connection.query_logger(lambda record: seen.append(record.query)):
            page = await runs.run_list(
                OneConnection(connection),  # type: ignore[arg-type]
                RunQuery(rows.tenant_id),
                offset=0,
                limit=10,
                payloads=True,
            )
    assert len(seen) == 4  # ids, rows, members, total
    assert {run: [task.id for task in found] for run, found in page.members.items()} == dict(made)


async def test_lists_of_tasks_show_what_waits_for_parents(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow, other = await pipeline(rows), await rows.workflow("one")
    run, members = await rows.dag(workflow, {0: {"status": RUNNING}})
    alone = await rows.run(other)
    second, more = await rows.dag(
        workflow, {0: {"delayed": True}, 2: {"status": COMPLETED}}, metadata={"k": "v"}
    )
    tenant = rows.tenant_id
    everything = [*more[::-1], alone, *members[::-1]]
    assert await ids_of(pool, RunQuery(tenant, only_tasks=True)) == everything
    waiting = [more[1], more[0], alone, members[2], members[1]]
    assert await ids_of(pool, RunQuery(tenant, only_tasks=True, statuses=[QUEUED])) == waiting
    busy = RunQuery(tenant, only_tasks=True, statuses=[RUNNING])
    assert await ids_of(pool, busy) == [members[0]]
    query = RunQuery(tenant, only_tasks=True, workflow_ids=[workflow.id])
    assert await ids_of(pool, query) == [*more[::-1], *members[::-1]]
    query = RunQuery(tenant, only_tasks=True, workflow_ids=[workflow.id, other.id])
    assert await ids_of(pool, query) == everything
    query = RunQuery(tenant, only_tasks=True, metadata=[("k", "v")], statuses=[QUEUED])
    assert await ids_of(pool, query) == [more[1], more[0]]
    assert await ids_of(pool, RunQuery(tenant, workflow_ids=[other.id, workflow.id])) == [
        second,
        alone,
        run,
    ]


async def test_runs_of_an_event(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow, other = await pipeline(rows), await rows.workflow("one")
    event = await rows.pushed()
    trigger = {"event_id": str(event), "event_key": "user:created"}
    run, members = await rows.dag(workflow, trigger=trigger)
    alone = await rows.run(other, trigger=trigger)
    await rows.run(other, trigger={"event_id": str(run)})
    tenant = rows.tenant_id
    assert await ids_of(pool, RunQuery(tenant, event_id=event)) == [alone, run]
    query = RunQuery(tenant, event_id=event, statuses=[QUEUED], workflow_ids=[workflow.id])
    assert await ids_of(pool, query) == [run]
    tasks_of = [alone, *members[::-1]]
    assert await ids_of(pool, RunQuery(tenant, event_id=event, only_tasks=True)) == tasks_of


async def test_a_replayed_member_keeps_its_attempt_while_it_waits(
    rows: Rows, pool: asyncpg.Pool
) -> None:
    workflow = await pipeline(rows)
    _, members = await rows.dag(workflow, {0: {"attempt": 1}})
    await rows.event(members[1], EventKind.ENDED, 0, NOW_MS + 50, "{}", {"status": 2})
    await rows.event(members[1], EventKind.RETRIED_BY_USER, 1, NOW_MS + 50)
    [row] = await task_rows(pool, rows.tenant_id, [members[1]], payloads=False)
    assert (row.status, row.attempt, row.begun) == (QUEUED, 1, False)


async def test_history_of_a_task_with_conditions(rows: Rows, pool: asyncpg.Pool) -> None:
    steps = [
        TaskDefinition(name="load", action="c:load"),
        TaskDefinition(
            name="store",
            action="c:store",
            parents=["load"],
            conditions=[Condition("event", "SKIP", "go", "g", event_key="go")],
        ),
    ]
    workflow = await rows.workflow("c", steps)
    run, members = await rows.dag(
        workflow, {0: {"status": COMPLETED}, 1: {"status": COMPLETED, "skipped": True}}
    )
    task = members[1]
    await rows.event(task, EventKind.WAITING, 0, NOW_MS + 40, "event go")
    await rows.event(task, EventKind.CONDITION_FAILED, 0, NOW_MS + 50, "input.x: no such key")
    await rows.event(task, EventKind.CONDITION_MET, 0, NOW_MS + 60, "{}", {"key": "go"})
    await rows.event(task, EventKind.SKIPPED, 0, NOW_MS + 60, "go was met")
    view = await runs.run_get(pool, rows.tenant_id, run)
    assert view is not None
    found = await task_events.task_events(
        pool, rows.tenant_id, view.tasks[1:], ready_times(view.tasks)
    )
    told = [(entry.type, entry.message, entry.error) for entry in reversed(found)]
    assert [entry for entry in told if entry[0] not in ("ASSIGNED", "STARTED")] == [
        ("CREATED", "", ""),
        ("QUEUED", "", ""),
        ("QUEUED", "Waiting for event go", ""),
        (
            "QUEUED",
            "Condition can't be evaluated: input.x: no such key",
            "Condition can't be evaluated: input.x: no such key",
        ),
        ("QUEUED", "Condition met: go", ""),
        ("SKIPPED", "go was met", ""),
    ]
    assert len({entry.number for entry in found}) == len(found)


async def test_what_waits_for_parents_is_created_but_not_queued(
    rows: Rows, pool: asyncpg.Pool
) -> None:
    run, members = await rows.dag(await pipeline(rows))
    view = await runs.run_get(pool, rows.tenant_id, run)
    assert view is not None
    found = await task_events.task_events(pool, rows.tenant_id, view.tasks, ready_times(view.tasks))
    assert [entry.type for entry in found if entry.task_id == members[1]] == ["CREATED"]
    assert len(found) == 5


async def test_timings_go_down_the_tree(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow, single = await pipeline(rows), await rows.workflow("one")
    run, members = await rows.dag(workflow, {0: {"status": RUNNING}})
    child = await rows.run(single, parent_task_id=members[0])
    dag, inner = await rows.dag(workflow, parent_task_id=members[0])
    grandchild = await rows.run(single, parent_task_id=child)
    tenant = rows.tenant_id

    async def found(depth: int) -> list[tuple[UUID, int, UUID | None]]:
        entries = await timings.run_timings(pool, tenant, run, depth)
        assert entries is not None
        return [(entry.task.id, entry.depth, entry.parent_task_id) for entry in entries]

    first, blocked, beside = members
    own = [(first, 0, None), (beside, 0, None), (blocked, 0, None)]
    assert await found(0) == own
    below = [
        (child, 1, first),
        (grandchild, 2, child),
        *((task, 1, first) for task in (inner[0], inner[2], inner[1])),
    ]
    assert await found(2) == [own[0], *below, *own[1:]]
    assert len(await found(1)) == 7
    assert await timings.run_timings(pool, tenant, dag, 0) is not None
    assert await timings.run_timings(pool, tenant, first, 0) is None
    counts = await runs.child_counts(pool, tenant, [*members, child])
    assert counts == {first: 2, child: 1}
    assert await runs.child_counts(pool, tenant, [first], 1) == {first: 1}


async def test_spawned_runs_are_bounded(
    rows: Rows, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timings, "SPAWNED_RUNS_MAX", 2)
    workflow = await rows.workflow()
    run = await rows.run(workflow, RUNNING)
    made = [await rows.run(workflow, parent_task_id=run) for _ in range(3)]
    entries = await timings.run_timings(pool, rows.tenant_id, run, timings.DEPTH_MAX)
    assert entries is not None
    assert [entry.task.id for entry in entries] == [run, *made[:2]]


async def test_members_are_no_runs(rows: Rows, pool: asyncpg.Pool) -> None:
    _, members = await rows.dag(await pipeline(rows))
    assert await runs.run_get(pool, rows.tenant_id, members[0]) is None
    assert await runs.run_status(pool, rows.tenant_id, members[0]) is None
    [row] = await task_rows(pool, rows.tenant_id, [members[0]], payloads=True)
    assert (row.kind, row.input) == (TaskKind.MEMBER, '{"n": 1}')


async def test_a_page_of_large_payloads(
    rows: Rows, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in pieces, in the same order; more than the server may hold is refused."""
    workflow, other = await pipeline(rows), await rows.workflow("one")
    alone = [await rows.run(other, COMPLETED, input="{}", output='{"a": 1}') for _ in range(2)]
    run, members = await rows.dag(workflow, input='{"b": 1}')
    last = await rows.run(other, COMPLETED, input="{}", output='{"a": 1}')
    monkeypatch.setattr(runs, "PAYLOAD_ROWS_PER_READ", 2)

    async def page(payloads: bool = True) -> runs.RunPage:
        query = RunQuery(rows.tenant_id)
        return await runs.run_list(pool, query, offset=0, limit=10, payloads=payloads)

    everything = await page()
    assert [row.id for row in everything.rows] == [last, run, *alone[::-1]]
    assert [task.id for task in everything.members[run]] == members
    found = [*everything.rows, *everything.members[run]]
    size = sum(len(row.input or "") + len(row.output or "") for row in found if row.id != run)
    size += len('{"b": 1}')  # the output of a DAG run is that of its members
    monkeypatch.setattr(runs, "PAGE_CHARS_MAX", size)
    assert [row.id for row in (await page()).rows] == [row.id for row in everything.rows]
    monkeypatch.setattr(runs, "PAGE_CHARS_MAX", size - 1)
    with pytest.raises(
        Refused, match=f"larger than {size - 1} characters; ask for fewer"
    ) as caught:
        await page()
    assert (caught.value.code, caught.value.field) == (Code.INVALID_ARGUMENT, "limit")
    assert len((await page(payloads=False)).rows) == 4
