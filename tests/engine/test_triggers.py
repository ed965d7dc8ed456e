"""New runs (TR-*)."""

from __future__ import annotations

import json

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.turn.commands import TriggerItem, TriggerRuns
from hatchet_engine.turn.state import Limits
from tests.support.engine import TENANT, Harness, running_engine
from tests.support.rules import refused


async def submit(h: Harness, *items: TriggerItem) -> None:
    await h.engine.submit(TriggerRuns(TENANT, items))


async def test_tr_1_trigger_stores_what_was_given(h: Harness) -> None:
    made = await h.put()
    (parent,) = await h.trigger()
    (run,) = await h.trigger(
        input='{"a": 1}', metadata='{"k":"v"}', priority=2, parent_task_id=parent, child_index=3,
        child_key="key",
    )  # fmt: skip
    (row,) = await h.fetch("select *, metadata::text as meta from task where id = $1", run)
    assert (row["input"], row["priority"]) == ('{"a": 1}', 2)
    assert json.loads(row["meta"]) == {
        "k": "v",
        "hatchet__parent_workflow_run_id": str(parent),
        "hatchet__parent_step_run_id": str(parent),
    }
    assert (row["parent_task_id"], row["child_index"], row["child_key"]) == (parent, 3, "key")
    assert (row["run_id"], row["version_id"]) == (run, made.version_id)
    assert row["created_at"].timestamp() * 1_000 == h.clock.now_ms()


async def test_tr_1_child_fields_without_a_parent_mean_nothing(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger(child_index=0, child_key="key")
    (row,) = await h.fetch("select child_index, child_key from task where id = $1", run)
    assert tuple(row) == (None, None)


@pytest.mark.parametrize("text", ["", "{}"])
async def test_tr_3_empty_input_is_an_empty_object(h: Harness, text: str) -> None:
    await h.put()
    worker = await h.worker()
    await h.trigger(input=text)
    assert (await worker.next())[0].input == "{}"


BAD = [
    "nope",
    "{",
    '{"a":1,}',
    "[]",
    "3",
    '"text"',
    "null",
    "true",
    '{"a":"\\u0000"}',
    "{}x",
    "\x00",
]


@pytest.mark.parametrize("text", BAD)
async def test_tr_3_bad_input_is_refused(h: Harness, text: str) -> None:
    await h.put()
    with refused(Code.INVALID_ARGUMENT, "input:"):
        await h.trigger(input=text)
    assert await h.count("task") == 0


@pytest.mark.parametrize("text", BAD)
async def test_tr_3_bad_metadata_is_refused(h: Harness, text: str) -> None:
    await h.put()
    with refused(Code.INVALID_ARGUMENT, "additional_metadata:"):
        await h.trigger(metadata=text)
    assert await h.count("task") == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"b":1,"a":12345678901234567890, "x" : 1.10}',
        '{"a":"\\\\u0000"}',
        '{"a":"\\u0001\\ud83d\\ude00"}',
        '{"a":1,"a":2}',
    ],
)
async def test_tr_3b_input_is_kept_byte_for_byte(h: Harness, text: str) -> None:
    await h.put()
    worker = await h.worker()
    await h.trigger(input=text)
    assert (await worker.next())[0].input == text
    # And from the table, after the memory of it is gone:
    (run,) = await h.trigger(input=text)
    assert (await h.fetch("select input from task where id = $1", run))[0]["input"] == text


async def test_metadata_that_only_postgres_refuses_fails_alone(h: Harness) -> None:
    """A number that no JSONB can hold: INVALID_ARGUMENT, and nothing else is disturbed."""
    await h.put()
    good = h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello")]))
    bad = h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello", metadata='{"a":1e-400000}')]))
    with refused(Code.INVALID_ARGUMENT, "can't be stored"):
        await bad
    assert len(await good) == 1
    assert await h.count("task") == 1


async def test_value_that_the_client_cannot_encode_fails_alone(h: Harness) -> None:
    """It must not be taken for a broken connection, which would be tried again for ever."""
    await h.put()
    (parent,) = await h.trigger()
    item = TriggerItem("hello", parent_task_id=parent, child_index=2**40)
    with refused(Code.INVALID_ARGUMENT, "can't be stored"):
        await submit(h, item)
    assert await h.count("task") == 1


async def test_tr_4_one_unknown_name_refuses_the_whole_call(h: Harness) -> None:
    await h.put()
    items = [TriggerItem(name) for name in ("hello", "nobody", "hello", "noone")]
    with refused(Code.INVALID_ARGUMENT, "workflow names not found: nobody, noone"):
        await submit(h, *items)
    assert await h.count("task") == 0
    assert await h.count("queue_item") == 0


async def test_tr_6_run_is_stored_when_the_call_returns(h: Harness) -> None:
    await h.put()
    for _ in range(20):
        (run,) = await h.trigger()
        assert await h.fetch("select 1 from task where id = $1", run)


async def test_tr_7_bad_item_refuses_the_whole_call_and_is_named(h: Harness) -> None:
    await h.put()
    items = [TriggerItem("hello"), TriggerItem("hello", "{}", priority=9), TriggerItem("hello")]
    with pytest.raises(Refused) as caught:
        await submit(h, *items)
    assert (caught.value.code, caught.value.index) == (Code.INVALID_ARGUMENT, 1)
    assert await h.count("task") == 0


async def test_tr_7_order_of_ids_is_that_of_the_items(h: Harness) -> None:
    await h.put("a")
    await h.put("b")
    items = [TriggerItem("ab"[position % 2], f'{{"n":{position}}}') for position in range(50)]
    runs = await h.engine.submit(TriggerRuns(TENANT, items))
    assert runs == sorted(runs)
    rows = await h.fetch("select id, input from task order by id")
    assert [(row["id"], row["input"]) for row in rows] == [
        (run, f'{{"n":{position}}}') for position, run in enumerate(runs)
    ]


async def test_sizes_at_the_edge(clean_database: str) -> None:
    limits = Limits(payload_bytes_max=40, metadata_bytes_max=20, trigger_items_max=3)
    async with running_engine(clean_database, limits=limits) as h:
        await h.put()
        await h.trigger(input='{"a":"' + "x" * 32 + '"}')
        await h.trigger(input='{"a":"' + "é" * 16 + '"}')
        await h.trigger(metadata='{"a":"' + "x" * 12 + '"}')
        await h.trigger(count=3)
        for bad in ("x" * 33, "é" * 16 + "x"):
            with refused(Code.INVALID_ARGUMENT, "input: is 41 bytes long, the limit is 40"):
                await h.trigger(input='{"a":"' + bad + '"}')
        with refused(Code.INVALID_ARGUMENT, "additional_metadata: is 21 bytes long"):
            await h.trigger(metadata='{"a":"' + "x" * 13 + '"}')
        with refused(Code.INVALID_ARGUMENT, "4 runs in one call, the limit is 3"):
            await h.trigger(count=4)
        assert await h.count("task") == 6


async def test_child_key_is_bounded_and_printable(h: Harness) -> None:
    await h.put()
    (parent,) = await h.trigger()
    await h.trigger(parent_task_id=parent, child_key="k" * 255)
    for bad in ("k" * 256, "a\x00b"):
        with refused(Code.INVALID_ARGUMENT, "child_key"):
            await h.trigger(parent_task_id=parent, child_key=bad)


async def test_large_input_is_delivered_from_the_table(h: Harness) -> None:
    await h.put()
    text = '{"a":"' + "x" * 100_000 + '"}'
    await h.trigger(input=text)
    worker = await h.worker()
    assert (await worker.next())[0].input == text


async def test_empty_call_creates_nothing(h: Harness) -> None:
    assert await h.engine.submit(TriggerRuns(TENANT, [])) == []
