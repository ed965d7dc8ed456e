"""What is known of concurrency keys behind the window and after a restart."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from hatchet_engine.domain.concurrency import Strategy
from hatchet_engine.turn import lines, read_lines
from tests.support.concurrency import (
    key,
    rule,
    run_all,
)
from tests.support.engine import TENANT, Harness
from tests.support.invariants import check_recovery
from tests.support.rules import add_tenant

# ---------------------------------------------------------------- windows and restarts


async def test_a_long_line_is_read_in_windows(h: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 8)
    monkeypatch.setattr(read_lines, "LINE_READ_MIN", 3)
    await h.put(concurrency=[rule(most=2)])
    runs = []
    for _ in range(10):
        runs += await h.trigger(input=key("a"), count=7)
    worker = await h.worker()
    assert await run_all(h, worker) == runs


async def test_many_lines_keep_a_bounded_number_of_items(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_ITEMS_MAX", 10)
    await h.put(concurrency=[rule()])
    runs = []
    for number in range(40):
        runs += await h.trigger(input=key(str(number % 4)))
    kept = sum(len(line.items) for line in h.engine.hot.lines.by_id.values())
    assert kept <= 10
    worker = await h.worker()
    assert set(await run_all(h, worker)) == set(runs)


async def test_everything_is_known_after_a_restart(h: Harness) -> None:
    await h.put(concurrency=[rule("input.key", 2), rule("'x'", 3)])
    for letter in "abc":
        await h.trigger(input=key(letter), count=3)
    async with h.pool.acquire() as connection:
        await check_recovery(h.engine, connection)
    await h.restart()
    worker = await h.worker()
    await h.settle()
    assert len(worker.started) == 3
    await run_all(h, worker)
    assert await h.count("outcome") == 9
    assert not h.engine.hot.lines.by_id
    assert not len(h.engine.hot.groups)


async def test_two_rules_of_one_shared_limit_ask_for_one_place(h: Harness) -> None:
    shared = {"name": "shared", "tenant_scoped": True}
    await h.put(concurrency=[rule("'all'", 2, **shared), rule("'all'", 2, **shared)])
    worker = await h.worker()
    runs = await h.trigger(count=3)
    assert [task.task_id for task in worker.started] == runs[:2]
    assert await h.count("concurrency_place") == 2
    assert await run_all(h, worker) == runs


async def test_a_free_place_is_given_out_after_a_restart(h: Harness) -> None:
    """The hot state was dropped between a place that became free and who waits for it."""
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"), count=2)
    await h.pool.execute("delete from concurrency_place")
    await h.pool.execute("delete from assignment")
    await h.pool.execute(
        "insert into outcome (tenant_id, id, status, kind, attempt, finished_at) "
        "values ($1, $2, 2, 0, 0, now())",
        TENANT,
        runs[0],
    )
    await h.restart()
    await worker.open(held=[])
    await h.settle()
    assert [task.task_id for task in worker.started][-1] == runs[1]


async def test_a_shared_rule_before_it_is_no_change_of_a_limit(h: Harness) -> None:
    shared = rule(most=9, name="shared", tenant_scoped=True)
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"))
    await h.put(concurrency=[shared, rule()])
    runs += await h.trigger(input=key("a"))
    assert [task.task_id for task in worker.started] == runs[:1]


async def test_a_lowered_limit_holds_after_a_restart(h: Harness) -> None:
    await h.put(concurrency=[rule(most=3)])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"))
    await h.put(concurrency=[rule(most=1)])
    runs += await h.trigger(input=key("a"), count=2)
    await h.restart()
    await worker.open()
    assert [task.task_id for task in worker.started] == runs[:1]
    worker.started = worker.started[:1]
    assert await run_all(h, worker) == runs


async def test_con_6_the_strategy_of_a_key_is_known_after_a_restart(h: Harness) -> None:
    """By the newest one who waits."""
    await h.put(concurrency=[rule(most=3)])
    await h.trigger(input=key("a"), count=2)
    await h.put(concurrency=[rule(most=1, strategy="CANCEL_QUEUED_EXCEPT_OLDEST")])
    await h.trigger(input=key("a"))
    await h.restart()
    (group,) = [g for line in h.engine.hot.lines.by_id if (g := h.engine.hot.groups.find(line))]
    assert (group.strategy, group.limit) == (Strategy.CANCEL_QUEUED_EXCEPT_OLDEST, 1)


async def test_workflows_that_do_not_agree_on_a_shared_limit_are_warned_of(h: Harness) -> None:
    """No error, or whoever changes it could never register both of them."""
    shared = {"name": "shared", "tenant_scoped": True}
    with capture_logs() as logs:
        await h.put("one", concurrency=[rule("'all'", 2, **shared)])
        await h.put("two", concurrency=[rule("'all'", 2, **shared)])
        await h.put("other", concurrency=[rule("'all'", 3, name="shared")])
        assert logs == []
        await h.put("two", concurrency=[rule("'all'", 3, **shared)])
    assert [(one["log_level"], one["workflow"], one["other_workflow"]) for one in logs] == [
        ("warning", "two", "one")
    ]
    assert (logs[0]["field"], logs[0]["value"], logs[0]["other_value"]) == ("max_runs", 3, 2)
    with capture_logs() as logs:
        await h.put("one", concurrency=[rule("'all'", 3, **shared)])
        await h.put("two", await add_tenant(h), concurrency=[rule("'all'", 9, **shared)])
    assert logs == []
