"""Pushed events over a real channel, in front of a scripted engine (B15.1, E-1 to E-5)."""

from __future__ import annotations

from typing import Any

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.transports.grpc.codecs.push import BULK_EVENTS_MAX
from hatchet_engine.turn.commands import NewEvent, PushedEvent, PushEvents
from hatchet_protocol.events import BulkPushEventRequest, PushEventRequest
from hatchet_protocol.times import new_timestamp
from tests.unit.transports.fake_engine import NOW_MS, TENANT, Served, task_id

PUSH, BULK = "/EventsService/Push", "/EventsService/BulkPush"


def pushed(command: PushEvents) -> list[PushedEvent]:
    return [PushedEvent(task_id(number), NOW_MS, []) for number, _ in enumerate(command.events)]


async def test_e_1_push(line: Served) -> None:
    line.engine.script[PushEvents] = pushed
    answer = await line.call(
        PUSH,
        PushEventRequest(
            key="user:new",
            payload='{"n": 1.10}',
            event_timestamp=new_timestamp(5),
            additional_metadata='{"a":"b"}',
            priority=3,
            scope="s",
        ),
    )
    assert line.engine.commands == [
        PushEvents(TENANT, (NewEvent("user:new", '{"n": 1.10}', '{"a":"b"}', 3, "s"),))
    ]
    assert (answer.tenant_id, answer.event_id) == (str(TENANT), str(task_id(0)))
    assert (answer.key, answer.payload) == ("user:new", '{"n": 1.10}')
    assert answer.additional_metadata == '{"a":"b"}'
    # E-3: the engine's time, whatever the client sent; E-1: the scope is not echoed.
    assert answer.event_timestamp.seconds == NOW_MS // 1_000
    assert not answer.HasField("scope")


async def test_e_1_push_of_a_key_alone(line: Served) -> None:
    line.engine.script[PushEvents] = pushed
    answer = await line.call(PUSH, PushEventRequest(key="k", scope=""))
    assert line.engine.commands == [PushEvents(TENANT, (NewEvent("k", "{}"),))]
    assert answer.payload == "{}"
    assert not answer.HasField("additional_metadata")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"key": ""}, "key: is required"),
        ({"key": "a\0"}, "key: holds the null character"),
        ({"scope": "a\0"}, "scope: holds the null character"),
        ({"payload": "[1]"}, "payload: must be a JSON object, not an array"),
        ({"payload": "{"}, "payload: is not valid JSON"),
        ({"payload": '{"a":"\\u0000"}'}, "payload: holds the null character"),
        ({"additional_metadata": "null"}, "additional_metadata: must be a JSON object, not null"),
        ({"additional_metadata": '{"a":"\\u0000"}'}, "additional_metadata: holds the null"),
        ({"additional_metadata": '{"a":"' + "x" * 1_100 + '"}'}, "the limit is 1024"),
        ({"priority": 0}, "priority: must be 1 to 3, got 0"),
        ({"priority": 4}, "priority: must be 1 to 3, got 4"),
    ],
)
async def test_e_2_bad_events(line: Served, fields: dict[str, Any], text: str) -> None:
    bad = PushEventRequest(**({"key": "k"} | fields))
    code, told = await line.refusal(PUSH, bad)
    assert code == "INVALID_ARGUMENT"
    assert text in told
    both = BulkPushEventRequest(events=[PushEventRequest(key="k"), bad])
    code, told = await line.refusal(BULK, both)
    assert code == "INVALID_ARGUMENT"
    assert told.startswith("events[1]: ")
    assert text in told
    assert line.engine.commands == []


@pytest.mark.parametrize("count", [0, BULK_EVENTS_MAX + 1])
async def test_e_4_too_few_and_too_many(line: Served, count: int) -> None:
    request = BulkPushEventRequest(events=[PushEventRequest(key="k")] * count)
    code, text = await line.refusal(BULK, request)
    assert code == "INVALID_ARGUMENT"
    assert text == f"events: must be 1 to 1000 events, got {count}; split the call"


async def test_e_4_bulk_push_answers_in_order(line: Served) -> None:
    line.engine.script[PushEvents] = pushed
    sent = [PushEventRequest(key=f"k{number}") for number in range(BULK_EVENTS_MAX)]
    answer = await line.call(BULK, BulkPushEventRequest(events=sent))
    assert [one.key for one in answer.events] == [one.key for one in sent]
    assert [one.event_id for one in answer.events[:2]] == [str(task_id(0)), str(task_id(1))]
    assert len(line.engine.commands) == 1


async def test_e_5_refusals_of_the_engine_pass(line: Served) -> None:
    line.engine.script[PushEvents] = Refused(Code.RESOURCE_EXHAUSTED, "events: too many")
    request = BulkPushEventRequest(events=[PushEventRequest(key="k")] * 2)
    assert await line.refusal(BULK, request) == ("RESOURCE_EXHAUSTED", "events: too many")
    line.engine.script[PushEvents] = Refused(Code.INVALID_ARGUMENT, "key: no", index=1)
    assert await line.refusal(BULK, request) == ("INVALID_ARGUMENT", "events[1]: key: no")
