"""Events that trigger runs, filters, and children (E-*, CH-*)."""

from __future__ import annotations

import json

import pytest

from hatchet_engine.domain.definition import EventFilter
from hatchet_engine.domain.errors import Code
from hatchet_engine.turn.children import DIFFERENCES_TOLD_MAX, INPUT_COMPARED_MAX
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeFilter,
    CreateFilter,
    DeleteFilter,
    NewEvent,
    PushEvents,
    TriggerItem,
    TriggerRuns,
)
from tests.support.dags import context, push, statuses, step
from tests.support.engine import TENANT, Harness
from tests.support.rules import refused


async def listen(h: Harness, *keys: str, name: str = "hello", **more: object):  # type: ignore[no-untyped-def]
    return await h.put_dag(name, step(name), event_triggers=list(keys), **more)


async def test_e_12_one_event_triggers_all_workflows_once(h: Harness) -> None:
    await listen(h, "order:created", "order:*")
    await listen(h, "order:*", name="other")
    await listen(h, "order", name="exact")
    pushed = await push(h, "order:created", '{"n":1}', metadata='{"k":"v","hatchet__x":"y"}')
    assert len(pushed.run_ids) == 2
    row = (await h.fetch("select * from task where id = $1", pushed.run_ids[0]))[0]
    assert row["input"] == '{"n":1}'
    assert json.loads(row["metadata"]) == {
        "k": "v",
        "hatchet__event_id": str(pushed.id),
        "hatchet__event_key": "order:created",
    }
    assert json.loads(row["trigger"])["event_id"] == str(pushed.id)
    assert await h.count("event") == 1


async def test_e_9_only_a_star_is_a_wildcard(h: Harness) -> None:
    await listen(h, "a_%.*")
    assert (await push(h, "abcX")).run_ids == []
    assert (await push(h, "axx.y")).run_ids == []
    assert len((await push(h, "a_%.y")).run_ids) == 1


async def test_e_2_bad_events_store_nothing(h: Harness) -> None:
    good = NewEvent("a")
    for bad, field in (
        (NewEvent(""), "key"),
        (NewEvent("k" * 1_025), "key"),
        (NewEvent("a", "[]"), "payload"),
        (NewEvent("a", metadata="3"), "additional_metadata"),
        (NewEvent("a", priority=4), "priority"),
        (NewEvent("a", scope="s" * 1_025), "scope"),
    ):
        with refused(Code.INVALID_ARGUMENT, field):
            await h.engine.submit(PushEvents(TENANT, [good, bad]))
    with refused(Code.INVALID_ARGUMENT, "limit is 1000"):
        await h.engine.submit(PushEvents(TENANT, [good] * 1_001))
    assert await h.count("event") == 0
    assert len(await h.engine.submit(PushEvents(TENANT, [good] * 1_000))) == 1_000


async def test_e_17_to_e_21_filters(h: Harness) -> None:
    made = await listen(h, "k")
    worker = await h.worker()
    assert len((await push(h, "k")).run_ids) == 1
    await worker.next()
    one = await h.engine.submit(
        CreateFilter(TENANT, made.workflow_id, "s", "input.n == payload.n", '{"n":1}')
    )
    assert (await push(h, "k", '{"n":1}')).run_ids == []
    assert (await push(h, "k", '{"n":1}', scope="t")).run_ids == []
    assert (await push(h, "k", '{"n":2}', scope="s")).run_ids == []
    assert len((await push(h, "k", '{"n":1}', scope="s")).run_ids) == 1
    (task,) = await worker.next()
    assert context(task)["triggers"]["filter_payload"] == {"n": 1}
    assert (await push(h, "k", "{}", scope="s")).run_ids == []
    (failure,) = await h.fetch("select source, message from expression_failure")
    assert failure["source"] == "FILTER"
    two = await h.engine.submit(CreateFilter(TENANT, made.workflow_id, "s", "true"))
    assert len((await push(h, "k", '{"n":1}', scope="s")).run_ids) == 2
    await h.engine.submit(ChangeFilter(TENANT, two.id, scope="u"))
    assert len((await push(h, "k", '{"n":1}', scope="s")).run_ids) == 1
    await h.engine.submit(DeleteFilter(TENANT, one.id))
    assert (await push(h, "k", '{"n":1}', scope="s")).run_ids == []
    with refused(Code.NOT_FOUND, "no filter"):
        await h.engine.submit(DeleteFilter(TENANT, one.id))
    with refused(Code.INVALID_ARGUMENT, "expression"):
        await h.engine.submit(CreateFilter(TENANT, made.workflow_id, "s", "input.n =="))


async def test_e_22_declared_filters_are_replaced_with_the_version(h: Harness) -> None:
    await listen(h, "k", default_filters=[EventFilter("true", "a")])
    assert len((await push(h, "k", scope="a")).run_ids) == 1
    await listen(h, "k", default_filters=[EventFilter("true", "b")])
    assert (await push(h, "k", scope="a")).run_ids == []
    assert len((await push(h, "k", scope="b")).run_ids) == 1
    assert await h.count("event_filter") == 1


async def test_an_event_triggers_a_dag(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b", "a"), event_triggers=["go"])
    worker = await h.worker("a", "b")
    (run,) = (await push(h, "go", '{"n":1}')).run_ids
    (task,) = await worker.next()
    assert (task.run_id, task.input) == (run, '{"n":1}')


async def test_ch_2_same_key_same_child(h: Harness) -> None:
    await h.put()
    (parent,) = await h.trigger()
    (first,) = await h.trigger(parent_task_id=parent, child_index=0)
    assert await h.trigger(parent_task_id=parent, child_index=0) == [first]
    assert await h.trigger(parent_task_id=parent, child_key="0") == [first]
    (second,) = await h.trigger(parent_task_id=parent, child_index=1)
    (keyed,) = await h.trigger(parent_task_id=parent, child_index=1, child_key="k")
    assert len({first, second, keyed}) == 3
    both = await h.trigger(parent_task_id=parent, child_key="twice", count=2)
    assert both[0] == both[1]


async def test_ch_2_a_finished_child_gives_its_result_again(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (parent,) = await h.trigger()
    (child,) = await h.trigger(parent_task_id=parent, child_index=0)
    await worker.next()
    await worker.complete((await worker.next())[0], '{"n":1}')
    await h.result(child)
    h.results.by_run.clear()
    assert await h.trigger(parent_task_id=parent, child_index=0) == [child]
    assert (await h.result(child)).tasks[0].output == '{"n":1}'


async def _spawned_again(h: Harness, name: str, input: str, **child: object) -> list[str]:
    """What a parent is told whose second attempt spawns this, while its first has spawned a child
    of workflow hello with the input {"n":1}."""
    await h.put()
    await h.put("other")
    await h.put("parent", retries=1)
    worker = await h.worker("parent")
    (parent,) = await h.trigger("parent")
    again = {"parent_task_id": parent, **child}
    (first,) = await h.trigger("hello", '{"n":1}', **again)
    await worker.fail((await worker.next())[0])
    assert await h.trigger(name, input, **again) == [first]
    rows = await h.fetch("select * from task_log order by id")
    assert {(row["task_id"], row["attempt"], row["level"]) for row in rows} <= {(parent, 1, "WARN")}
    return [row["message"].replace(str(first), "RUN") for row in rows]


REMEDY = " Where the order of calls may change, give each child a child_key of its own."


async def test_ch_4_the_same_again_is_no_news(h: Harness) -> None:
    assert await _spawned_again(h, "hello", '{"n":1}', child_index=0) == []


async def test_ch_4_another_workflow_is_told(h: Harness) -> None:
    assert await _spawned_again(h, "other", '{"n":1}', child_index=0) == [
        "Child 0 exists already, as run RUN of workflow hello; workflow other was asked for."
        + REMEDY
    ]


async def test_ch_4_another_input_is_told(h: Harness) -> None:
    assert await _spawned_again(h, "hello", '{"n":2}', child_index=0) == [
        f"Child 0 exists already, as run RUN; another input was asked for.{REMEDY}"
    ]


async def test_ch_4_a_key_stands_for_a_child_whatever_its_input(h: Harness) -> None:
    assert await _spawned_again(h, "hello", '{"n":2}', child_key="a") == []


async def test_ch_4_but_not_whatever_its_workflow(h: Harness) -> None:
    (told,) = await _spawned_again(h, "other", '{"n":1}', child_key="a")
    assert told.startswith("Child a exists already, as run RUN of workflow hello; workflow other")


@pytest.mark.parametrize(("size", "told"), [(INPUT_COMPARED_MAX, 1), (INPUT_COMPARED_MAX + 1, 0)])
async def test_ch_4_long_inputs_are_compared_by_their_sizes(
    h: Harness, size: int, told: int
) -> None:
    await h.put()
    (parent,) = await h.trigger()
    for letter in "ab":
        input = '{"a":"' + letter * (size - 8) + '"}'
        assert len(input) == size
        await h.trigger(input=input, parent_task_id=parent, child_index=0)
    assert await h.count("task_log") == told


async def test_ch_4_a_parent_is_told_of_a_few(h: Harness) -> None:
    await h.put()
    parents = await h.trigger(count=2)
    for n in range(2):
        items = [
            TriggerItem("hello", f'{{"n":{n}}}', parent_task_id=parent, child_index=index)
            for parent in parents
            for index in range(DIFFERENCES_TOLD_MAX + 1)
        ]
        await h.engine.submit(TriggerRuns(TENANT, items, h.results))
    rows = await h.fetch("select task_id, count(*) as told from task_log group by task_id")
    assert {row["task_id"]: row["told"] for row in rows} == dict.fromkeys(
        parents, DIFFERENCES_TOLD_MAX
    )


async def test_ch_1_unknown_parent_is_refused(h: Harness) -> None:
    await h.put()
    with refused(Code.NOT_FOUND, "parent_task_run_external_id"):
        await h.trigger(parent_task_id=TENANT, child_index=0)
    assert await h.count("task") == 0


async def test_ch_7_metadata_is_inherited_through_levels(h: Harness) -> None:
    await h.put()
    (parent,) = await h.trigger(metadata='{"a":1,"b":2}')
    (child,) = await h.trigger(parent_task_id=parent, child_index=0, metadata='{"b":3}')
    (grand,) = await h.trigger(parent_task_id=child, child_index=0)
    (row,) = await h.fetch("select metadata from task where id = $1", grand)
    assert json.loads(row["metadata"]) == {
        "a": 1,
        "b": 3,
        "hatchet__parent_workflow_run_id": str(child),
        "hatchet__parent_step_run_id": str(child),
    }


@pytest.mark.parametrize("children", [True, False])
async def test_cx_12_children_are_cancelled_on_request(h: Harness, children: bool) -> None:
    await h.put()
    await h.put_dag("flow", step("a"), step("b", "a"))
    (parent,) = await h.trigger()
    (child,) = await h.trigger("flow", parent_task_id=parent, child_index=0)
    (row,) = await h.fetch("select id from task where run_id = $1 and step = 0 and kind = 2", child)
    (grand,) = await h.trigger(parent_task_id=row["id"], child_index=0)
    done = await h.engine.submit(CancelTasks(TENANT, [parent], children=children))
    assert set(done) == ({parent, child, grand} if children else {parent})
    assert await statuses(h, child) == ({"a": "CANCELLED", "b": "CANCELLED"} if children else {})
