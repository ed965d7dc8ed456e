"""Results of any legal size reach whoever waits for them (S-14, B9)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from hatchet_engine.domain.states import Status
from hatchet_engine.transports.grpc import outbox, result_backlog
from hatchet_engine.transports.grpc.outbox import FRAME_CHARACTERS, Outbox
from hatchet_engine.transports.grpc.result_backlog import ASKED_AGAIN_AT_ONCE, ResultBacklog
from hatchet_engine.turn.deliveries import RunResult, TaskResult
from hatchet_protocol import dispatcher as d
from hatchet_protocol import session as s
from tests.unit.transports.fake_engine import NOW_MS, TENANT, Served, result, task_id


def dag(number: int, *sizes: int) -> RunResult:
    tasks = [
        TaskResult(task_id(1_000 + at), f"t{at}", Status.COMPLETED, "x" * size, None)
        for at, size in enumerate(sizes)
    ]
    return RunResult(task_id(number), Status.COMPLETED, NOW_MS, tasks)


def frames(box: Outbox) -> list[s.EngineFrame]:
    found = []
    while data := box.take():
        found.append(s.EngineFrame.FromString(data))
    return found


def test_a_result_above_the_bound_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RESULT_CHARACTERS_MAX", 10_000)
    box = Outbox(lambda ids: None)
    box.put_results([result(1), dag(2, 4_000, 4_000, 4_000, 20_000, 0), result(3)])
    seen = frames(box)
    assert [
        [(one.run_id, len(one.tasks), one.more) for one in frame.results] for frame in seen
    ] == [
        [(task_id(1).bytes, 1, False), (task_id(2).bytes, 2, True)],
        [(task_id(2).bytes, 1, True)],
        [(task_id(2).bytes, 1, True)],  # one task is never split
        [(task_id(2).bytes, 1, False), (task_id(3).bytes, 1, False)],
    ]
    pieces = [one for frame in seen for one in frame.results if one.run_id == task_id(2).bytes]
    assert [task.task_name for one in pieces for task in one.tasks] == [
        "t0",
        "t1",
        "t2",
        "t3",
        "t4",
    ]
    assert {one.status for one in pieces} == {int(Status.COMPLETED)}


def test_a_result_at_the_bound_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    one = dag(1, 100, 200)
    size = result_backlog.result_characters(one)
    for bound, pieces in ((size, 1), (size - 1, 2)):
        monkeypatch.setattr(outbox, "RESULT_CHARACTERS_MAX", bound)
        box = Outbox(lambda ids: None)
        box.put_results([one])
        assert len(frames(box)) == pieces


def test_a_dag_of_hundreds_of_megabytes_stays_below_what_clients_take() -> None:
    """1 GiB of outputs would take too long here; the text is shared, the frames are not kept."""
    box = Outbox(lambda ids: None)
    box.put_results([dag(1, *[4_000_000] * 60)])
    tasks = 0
    while data := box.take():
        assert len(data) < 16 * 1024 * 1024
        (piece,) = s.EngineFrame.FromString(data).results
        tasks += len(piece.tasks)
        assert piece.more is (tasks < 60)
    assert tasks == 60


def test_what_is_too_much_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_backlog, "WAITING_CHARACTERS_MAX", 5_000)
    stored = {task_id(number): dag(number, 1_000) for number in range(50)}
    asked: list[Sequence[UUID]] = []
    backlog = ResultBacklog(asked.append)
    backlog.put(list(stored.values()))
    seen: list[UUID] = []
    while backlog:
        seen.append(backlog.take().run_id)
        backlog.refill()
        while asked:
            ids = asked.pop()
            assert len(ids) <= ASKED_AGAIN_AT_ONCE
            backlog.put([stored[id] for id in ids])
    assert sorted(seen) == sorted(stored)


def test_a_single_result_is_taken_whatever_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_backlog, "WAITING_CHARACTERS_MAX", 100)
    asked: list[Sequence[UUID]] = []
    backlog = ResultBacklog(asked.append)
    backlog.put([dag(1, 10_000), dag(2, 10_000)])
    assert backlog.take().run_id == task_id(1)
    assert not backlog
    backlog.refill()
    backlog.refill()  # once is enough: the answer is on its way
    assert asked == [[task_id(2)]]
    backlog.put([dag(2, 10_000)])
    assert backlog.take().run_id == task_id(2)


def test_what_nobody_wants_any_more_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_backlog, "WAITING_CHARACTERS_MAX", 100)
    asked: list[Sequence[UUID]] = []
    backlog = ResultBacklog(asked.append)
    backlog.put([dag(1, 10), dag(2, 10), dag(3, 10)])
    backlog.forget([task_id(2)])
    backlog.take()
    backlog.refill()
    assert asked == [[task_id(3)]]


async def test_b9_a_slow_official_client_gets_all(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_backlog, "WAITING_CHARACTERS_MAX", 3_000)
    subscriptions = line.engine.subscriptions
    call = line.open("/Dispatcher/SubscribeToWorkflowRuns")
    for number in range(20):
        await call.write(d.SubscribeToWorkflowRunsRequest(workflow_run_id=str(task_id(number))))
    async with asyncio.timeout(5):
        while len(subscriptions.subscribed) < 20:
            await asyncio.sleep(0.005)
    waiting = subscriptions.subscribed[0][1]
    waiting.deliver_results([dag(number, 1_000) for number in range(20)])
    answered = 20
    seen = set()
    while len(seen) < 20:
        async with asyncio.timeout(5):
            seen.add((await call.read()).workflow_run_id)
        for tenant_id, one, ids in subscriptions.subscribed[answered:]:
            assert (tenant_id, one) == (TENANT, waiting)
            answered += 1
            one.deliver_results([dag(id.int - task_id(0).int, 1_000) for id in ids])
    assert seen == {str(task_id(number)) for number in range(20)}


def test_results_share_frames() -> None:
    box = Outbox(lambda ids: None)
    box.put_results([dag(number, FRAME_CHARACTERS // 3) for number in range(6)])
    assert [len(frame.results) for frame in frames(box)] == [3, 3]
