"""Clients that watch runs (SubscribeToWorkflowEvents, B10), in front of a scripted engine."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest

from hatchet_engine.domain.states import Status
from hatchet_engine.transports.grpc import event_stream, metadata_stream
from hatchet_engine.turn.deliveries import RunEvent
from hatchet_protocol import dispatcher as d
from tests.unit.transports.fake_engine import NOW_MS, TENANT, Served, ended, task_id

RUN = task_id(1)
ID = str(RUN)
EVENTS = "/Dispatcher/SubscribeToWorkflowEvents"
STARTED, COMPLETED, FAILED, CANCELLED, STREAM = (
    int(d.ResourceEventType[name])
    for name in ("STARTED", "COMPLETED", "FAILED", "CANCELLED", "STREAM")
)


@pytest.fixture
def status(line: Served, monkeypatch: pytest.MonkeyPatch) -> dict[UUID, Status]:
    """What the table says of runs; the table of chunks is ``line.engine.streams.stored``."""
    known = {RUN: Status.RUNNING}

    async def run_status(pool: Any, tenant_id: UUID, run_id: UUID) -> Status | None:
        assert tenant_id == TENANT
        return known.get(run_id)

    monkeypatch.setattr("hatchet_engine.observe.runs.run_status", run_status)
    monkeypatch.setattr("hatchet_engine.store.streams.page", line.engine.streams.page)
    monkeypatch.setattr("hatchet_engine.store.streams.chunk_at", line.engine.streams.chunk_at)
    monkeypatch.setattr(event_stream, "APPEARS_POLL_S", 0.02)
    monkeypatch.setattr(event_stream, "STRAGGLERS_S", 0.05)
    monkeypatch.setattr(event_stream, "STRAGGLERS_WITH_GAP_S", 0.1)
    return known


def event(kind: str, payload: str = "", run: UUID = RUN, task: UUID | None = None) -> RunEvent:
    about_run = kind.startswith("RUN_")
    return RunEvent(run, None if about_run else task or run, kind, payload, 0, None, NOW_MS)


def listen(line: Served, after: str | None = None) -> Any:
    if after is not None:
        line.metadata = (*line.metadata, ("hatchet-stream-after", after))
    return line.listen(EVENTS, d.SubscribeToWorkflowEventsRequest(workflow_run_id=ID))


async def watcher(line: Served) -> Any:
    async with asyncio.timeout(5):
        while not line.engine.watchers.watching:
            await asyncio.sleep(0.005)
    return line.engine.watchers.watching[-1][-1]


async def rest(call: Any) -> list[tuple[int, str, bool]]:
    """All messages until the end with OK: event type, payload, hang-up."""
    seen = []
    while (message := await call.read()) is not grpc.aio.EOF:
        seen.append((message.event_type, message.event_payload, message.hangup))
    assert await call.code() is grpc.StatusCode.OK
    return seen


async def test_b10_1_a_run_from_start_to_hang_up(line: Served, status: dict[UUID, Status]) -> None:
    streams = line.engine.streams
    call = listen(line)
    watching = await watcher(line)
    watching.deliver_events([event("STARTED")])
    assert (await call.read()).event_type == STARTED
    watching.deliver_chunks(streams.store("a", "b", run=RUN))
    # The end of the task is known before its last chunks are stored.
    streams.waiting.add(RUN)
    streams.on_settle = lambda: watching.deliver_chunks(
        [] if streams.stored[2:] else streams.store("c", run=RUN, first=2)
    )
    watching.deliver_events([event("COMPLETED", "{}"), event("RUN_COMPLETED")])
    assert [(await call.read()).event_payload for _ in range(4)] == ["a", "b", "c", "{}"]
    # A straggler after the run's end still goes before the hang-up.
    watching.deliver_chunks(streams.store("late", run=RUN, first=3))
    assert await rest(call) == [(STREAM, "late", False), (COMPLETED, "", True)]
    assert streams.settled == [(RUN, RUN), (RUN, None)]
    assert line.engine.watchers.unwatched == [watching]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (Status.COMPLETED, COMPLETED),
        (Status.FAILED, FAILED),
        (Status.CANCELLED, CANCELLED),
    ],
)
async def test_a_run_that_has_ended_is_told_from_its_start(
    line: Served, status: dict[UUID, Status], end: Status, kind: int
) -> None:
    status[RUN] = end
    line.engine.streams.store("a", b"\xff", run=RUN)
    line.engine.streams.store("other", run=task_id(2))
    assert await rest(listen(line)) == [
        (STREAM, "a", False),
        (STREAM, "\ufffd", False),
        (kind, "", True),
    ]


async def test_a_run_that_has_ended_without_a_stream(
    line: Served, status: dict[UUID, Status]
) -> None:
    status[RUN] = Status.COMPLETED
    assert await rest(listen(line)) == [(COMPLETED, "", True)]


@pytest.mark.parametrize(("after", "seen"), [("0", "abcd"), ("3", "d"), ("4", ""), ("9", "")])
async def test_a_reader_resumes_where_it_was(
    line: Served, status: dict[UUID, Status], after: str, seen: str
) -> None:
    status[RUN] = Status.COMPLETED
    line.engine.streams.store(*"abcd", run=RUN)
    told = await rest(listen(line, after))
    assert [payload for _, payload, _ in told] == [*seen, ""]


async def test_a_position_that_is_none(line: Served, status: dict[UUID, Status]) -> None:
    code, text = await ended(listen(line, "-1"))
    assert code == "INVALID_ARGUMENT"
    assert "hatchet-stream-after" in text


async def test_a_position_ahead_counts_what_comes(line: Served, status: dict[UUID, Status]) -> None:
    streams = line.engine.streams
    streams.store("a", run=RUN)
    call = listen(line, "2")
    watching = await watcher(line)
    watching.deliver_events([event("STARTED")])
    await call.read()
    async with asyncio.timeout(5):
        while not streams.reads:
            await asyncio.sleep(0.005)
    watching.deliver_chunks(streams.store("b", run=RUN, first=1))
    watching.deliver_chunks(streams.store("c", run=RUN, first=2))
    assert (await call.read()).event_payload == "c"


async def test_late_readers_and_live_chunks_neither_miss_nor_repeat(
    line: Served, status: dict[UUID, Status]
) -> None:
    streams = line.engine.streams
    streams.store(*(str(number) for number in range(1_200)), run=RUN)
    call = listen(line)
    watching = await watcher(line)

    async def go_on() -> None:
        for number in range(1_200, 3_000):
            watching.deliver_chunks(streams.store(str(number), run=RUN, first=number))
            if number % 50 == 0:
                await asyncio.sleep(0)
        watching.deliver_events([event("RUN_COMPLETED")])

    going = asyncio.create_task(go_on())
    told = await rest(call)
    await going
    assert [payload for _, payload, _ in told] == [*(str(number) for number in range(3_000)), ""]


async def test_b10_1_members_of_a_dag(line: Served, status: dict[UUID, Status]) -> None:
    call = listen(line)
    watching = await watcher(line)
    first, second = task_id(2), task_id(3)
    watching.deliver_events(
        [
            event("STARTED", task=first),
            event("COMPLETED", '{"n":1}', task=first),
            event("STARTED", task=second),
            event("FAILED", "boom", task=second),
            event("CANCELLED", task=task_id(4)),
            event("RUN_FAILED"),
        ]
    )
    seen = []
    while (message := await call.read()) is not grpc.aio.EOF:
        assert message.workflow_run_id == ID
        seen.append((message.resource_id, message.event_type, message.hangup))
    assert seen == [
        (str(first), STARTED, False),
        (str(first), COMPLETED, False),
        (str(second), STARTED, False),
        (str(second), FAILED, False),
        (str(task_id(4)), CANCELLED, False),
        (ID, FAILED, True),
    ]


async def test_a_gap_at_the_end_is_waited_for_longer(
    line: Served, status: dict[UUID, Status]
) -> None:
    line.engine.streams.gaps.add(RUN)
    call = listen(line)
    watching = await watcher(line)
    watching.deliver_events([event("RUN_COMPLETED")])
    await asyncio.sleep(0.06)
    watching.deliver_chunks(line.engine.streams.store("a", run=RUN))
    assert [payload for _, payload, _ in await rest(call)] == ["a", ""]


async def test_b10_1_a_run_may_appear_late(line: Served, status: dict[UUID, Status]) -> None:
    del status[RUN]
    call = listen(line)
    await asyncio.sleep(0.03)
    status[RUN] = Status.QUEUED
    (await watcher(line)).deliver_events([event("RUN_CANCELLED")])
    assert await rest(call) == [(CANCELLED, "", True)]


async def test_b10_1_an_unknown_run_is_not_found(line: Served, status: dict[UUID, Status]) -> None:
    request = d.SubscribeToWorkflowEventsRequest(workflow_run_id=str(task_id(9)))
    assert (await ended(line.listen(EVENTS, request)))[0] == "NOT_FOUND"


async def test_a_client_that_does_not_read_events_comes_back(
    line: Served, status: dict[UUID, Status], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "WAITING_MAX", 3)
    call = listen(line)
    watching = await watcher(line)
    watching.deliver_events([event("STARTED")] * 4)
    assert (await ended(call))[0] == "UNAVAILABLE"


# ------------------------------------------------------------------ by metadata


def by_metadata(line: Served) -> Any:
    return line.listen(
        EVENTS,
        d.SubscribeToWorkflowEventsRequest(additional_meta_key="k", additional_meta_value="v"),
    )


async def test_b10_2_by_metadata_until_the_last_run_ends(line: Served) -> None:
    call = by_metadata(line)
    watching = await watcher(line)
    assert line.engine.watchers.watching[0][:3] == (TENANT, "k", "v")
    other, third = task_id(2), task_id(3)
    watching.deliver_events(
        [
            event("STARTED"),
            event("STARTED", run=other),
            event("STARTED", run=third),
            event("RUN_FAILED"),  # failed and cancelled runs have ended too
            event("RUN_COMPLETED", run=other),
            event("RUN_CANCELLED", run=third),
        ]
    )
    assert [hangup for _, _, hangup in await rest(call)] == [False] * 5 + [True]


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELLED"])
async def test_b10_2_chunks_come_before_the_end(line: Served, end: str) -> None:
    streams = line.engine.streams
    call = by_metadata(line)
    watching = await watcher(line)
    streams.waiting.add(RUN)
    streams.on_settle = lambda: watching.deliver_chunks(
        [] if streams.stored[1:] else streams.store("b", run=RUN, first=1)
    )
    watching.deliver_chunks(streams.store("a", run=RUN))
    watching.deliver_events([event(end, "x"), event(f"RUN_{end}")])
    assert [(payload, hangup) for _, payload, hangup in await rest(call)] == [
        ("a", False),
        ("b", False),
        ("x", False),
        ("", True),
    ]


async def test_b10_2_a_client_that_does_not_read_is_told(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_stream, "WAITING_BYTES_MAX", 3)
    call = by_metadata(line)
    watching = await watcher(line)
    watching.deliver_chunks(line.engine.streams.store("abcd", run=RUN))
    assert (await ended(call))[0] == "RESOURCE_EXHAUSTED"


async def test_b10_neither_given(line: Served) -> None:
    code, text = await ended(line.listen(EVENTS, d.SubscribeToWorkflowEventsRequest()))
    assert code == "INVALID_ARGUMENT"
    assert "workflow_run_id" in text
