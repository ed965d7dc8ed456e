"""ScheduleWorkflow on the wire (B13.5, SC-1, SC-10)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.transports.grpc.codecs.schedules import schedule_runs, scheduled_version
from hatchet_engine.turn.schedule_commands import Scheduled
from hatchet_protocol.times import new_timestamp, timestamp_ms
from hatchet_protocol.workflows import ScheduleWorkflowRequest

ID = UUID(int=7)


class FakeCaller:
    tenant_id = UUID(int=1)


def command(**fields: Any) -> Any:
    request = ScheduleWorkflowRequest(name="w", **fields)
    return schedule_runs(FakeCaller(), request)  # type: ignore[arg-type]


def test_one_run_for_each_time() -> None:
    made = command(schedules=[new_timestamp(1_500), new_timestamp(-500)], input='{"a":1}')
    assert made.due_ms == [1_500, -500]
    assert (made.input, made.metadata, made.priority) == ('{"a":1}', "", None)
    assert made.declarative
    assert command(priority=0).priority == 0  # refused by the engine, not taken for absent


def test_a_parent_needs_task_and_index() -> None:
    for fields in ({}, {"child_index": 0}, {"parent_task_run_external_id": str(ID)}):
        with pytest.raises(Refused) as caught:
            command(parent_id=str(ID), **fields)
        assert (caught.value.code, caught.value.field) == (Code.INVALID_ARGUMENT, "parent_id")
    made = command(parent_id=str(ID), parent_task_run_external_id=str(ID), child_index=0)
    assert (made.parent_run_id, made.parent_task_id, made.child_index) == (ID, ID, 0)
    assert command(child_index=0, child_key="k").child_key is None  # means nothing without parent
    with pytest.raises(Refused, match="parent_task_run_external_id"):
        command(parent_task_run_external_id="x")


def test_the_answer_keeps_the_order_and_the_times() -> None:
    request = ScheduleWorkflowRequest(schedules=[new_timestamp(9_000), new_timestamp(1_000)])
    answer = scheduled_version(request, Scheduled(ID, UUID(int=8), 3, 500, [ID, UUID(int=9)]))
    assert (answer.id, answer.workflow_id, answer.order) == (str(UUID(int=8)), str(ID), 3)
    assert [one.id for one in answer.scheduled_workflows] == [str(ID), str(UUID(int=9))]
    assert [timestamp_ms(one.trigger_at) for one in answer.scheduled_workflows] == [9_000, 1_000]
