"""Triggers, reports, actions, results, details, logs: message → command, delivery → message."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.states import Status
from hatchet_engine.observe.runs import RunDetails, RunTask
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.grpc.codecs import details as detail_codec
from hatchet_engine.transports.grpc.codecs.actions import (
    batch_action,
    cancel_action,
    start_action,
)
from hatchet_engine.transports.grpc.codecs.events import chunk_event, stream_after, workflow_event
from hatchet_engine.transports.grpc.codecs.logs import log_line
from hatchet_engine.transports.grpc.codecs.reports import batch_reports, step_report
from hatchet_engine.transports.grpc.codecs.results import RESULTS_BYTES_MAX, run_event
from hatchet_engine.transports.grpc.codecs.trigger import trigger_item, trigger_run_item
from hatchet_engine.transports.grpc.codecs.workers import registered_worker
from hatchet_engine.turn.batches import MEMBER_BYTES
from hatchet_engine.turn.commands import Report, ReportKind, RunFilter, TriggerItem
from hatchet_engine.turn.deliveries import AssignedBatch, RunEvent, RunResult, TaskResult
from hatchet_protocol import dispatcher as d
from hatchet_protocol import v1_workflows as w
from hatchet_protocol.events import PutLogRequest
from hatchet_protocol.times import new_timestamp
from hatchet_protocol.v1_trigger import DesiredWorkerLabels, TriggerWorkflowRequest
from tests.unit.transports.fake_engine import (
    NOW_MS,
    STEP,
    TENANT,
    VERSION,
    WORKFLOW,
    assigned,
    cancel,
    result,
    task_id,
)

ID = str(task_id(1))


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


# ------------------------------------------------------------------ triggers


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "w"}, TriggerItem("w", "")),
        (
            {"name": "w", "input": '{"x":1}', "additional_metadata": '{"a":"b"}', "priority": 3},
            TriggerItem("w", '{"x":1}', '{"a":"b"}', 3),
        ),
        # B13.2: an index without a parent means nothing; Python always sends 0.
        ({"name": "w", "child_index": 0, "child_key": "k"}, TriggerItem("w", "")),
        (
            {"name": "w", "parent_task_run_external_id": ID, "child_index": 2, "child_key": "k"},
            TriggerItem("w", "", parent_task_id=task_id(1), child_index=2, child_key="k"),
        ),
        ({"name": "w", "desired_worker_id": ""}, TriggerItem("w", "")),
        (
            {"name": "w", "desired_worker_id": ID},
            TriggerItem("w", "", desired_worker_id=task_id(1)),
        ),
        (
            {"name": "w", "desired_worker_labels": {"x": DesiredWorkerLabels(str_value="y")}},
            TriggerItem("w", "", desired_labels={"x": DesiredLabel("y")}),
        ),
        # Out of range is the engine's to refuse, but presence must survive.
        ({"name": "w", "priority": 0}, TriggerItem("w", "", priority=0)),
    ],
)
def test_b13_1_trigger(fields: dict[str, Any], expected: TriggerItem) -> None:
    assert trigger_item(TriggerWorkflowRequest(**fields)) == expected


@pytest.mark.parametrize("field", ["parent_task_run_external_id", "desired_worker_id"])
def test_b13_1_bad_ids_name_the_field(field: str) -> None:
    request = TriggerWorkflowRequest(name="w", **{field: "nonsense"})  # type: ignore[arg-type]
    assert refused(trigger_item, request) == f"{field}: 'nonsense' is not a UUID"


def test_b13_2_child_key_with_null_character() -> None:
    request = TriggerWorkflowRequest(name="w", parent_task_run_external_id=ID, child_key="a\0")
    assert "child_key" in refused(trigger_item, request)


def test_b14_3_trigger_run() -> None:
    request = w.TriggerWorkflowRunRequest(
        workflow_name="w", input=b'{"x":1}', additional_metadata=b"{}", priority=2
    )
    assert trigger_run_item(request) == TriggerItem("w", '{"x":1}', "{}", 2)
    bad = w.TriggerWorkflowRunRequest(workflow_name="w", input=b"\xff")
    assert "input: is not UTF-8" in refused(trigger_run_item, bad)


# ------------------------------------------------------------------ reports


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"event_type": 1, "event_payload": "null", "event_timestamp": new_timestamp(NOW_MS)},
            Report(task_id(1), None, ReportKind.STARTED, started_ms=NOW_MS),
        ),
        (
            {"event_type": 2, "event_payload": '{"y":2}', "retry_count": 0},
            Report(task_id(1), 0, ReportKind.COMPLETED, '{"y":2}'),
        ),
        (
            {"event_type": 3, "event_payload": "boom", "retry_count": 2, "should_not_retry": True},
            Report(task_id(1), 2, ReportKind.FAILED, "boom", should_not_retry=True),
        ),
        (
            {"event_type": 3, "retry_count": 0, "retry_after_ms": 5_000},
            Report(task_id(1), 0, ReportKind.FAILED, retry_after_ms=5_000),
        ),
        (
            {"event_type": 3, "retry_count": 0, "retry_after_ms": -5},
            Report(task_id(1), 0, ReportKind.FAILED, retry_after_ms=0),
        ),
        ({"event_type": 4}, Report(task_id(1), None, ReportKind.ACKNOWLEDGED)),
        ({"event_type": 5, "retry_count": 1}, Report(task_id(1), 1, ReportKind.CANCELLED)),
    ],
)
def test_b7_step_events(fields: dict[str, Any], expected: Report) -> None:
    # B7.1: the worker id is not looked at, TypeScript sends the name.
    event = d.StepActionEvent(worker_id="a name", task_run_external_id=ID, **fields)
    assert step_report(event) == expected


def test_b7_unknown_kind_and_bad_id() -> None:
    unknown = d.StepActionEvent(task_run_external_id=ID)
    assert "event_type: must be STARTED" in refused(step_report, unknown)
    bad = d.StepActionEvent(task_run_external_id="x", event_type=2)
    assert "task_run_external_id: 'x' is not a UUID" in refused(step_report, bad)


# ------------------------------------------------------------------ actions


def test_b6_start_action_fields() -> None:
    action = start_action(assigned(attempt=2, priority=3, metadata='{"a":"b"}'))
    assert action.action_type == d.ActionType.START_STEP_RUN
    assert action.tenant_id == str(TENANT)
    assert action.workflow_run_id == action.job_run_id == action.task_run_external_id == ID
    assert action.task_id == action.job_id == str(STEP)
    assert action.task_name == action.job_name == "hello"
    assert (action.retry_count, action.priority) == (2, 3)
    assert (action.workflow_id, action.workflow_version_id) == (str(WORKFLOW), str(VERSION))
    assert action.additional_metadata == '{"a":"b"}'
    assert action.get_group_key_run_id == ""  # E2, hazard 27
    assert not action.HasField("durable_task_invocation_count")
    assert not action.HasField("parent_workflow_run_id")


def test_b5_1_payload_is_joined_not_rewritten() -> None:
    input = '{"big": 123456789012345678901234567890,  "z":1,"a":2}'
    action = start_action(assigned(input=input))
    assert action.action_payload == (
        '{"input":' + input + ',"triggered_by":"manual","parents":{},'
        '"triggers":{"filter_payload":null},"user_data":null,"overrides":null}'
    )
    json.loads(action.action_payload)


def test_b5_1_payload_with_context() -> None:
    context = '{"parents":{"a":{"y":1}},"triggers":{"filter_payload":null,"QUEUE":{}}}'
    payload = json.loads(start_action(assigned(context=context)).action_payload)
    assert payload["parents"] == {"a": {"y": 1}}
    assert payload["triggers"] == {"filter_payload": None, "QUEUE": {}}
    assert set(payload) == {
        "input",
        "triggered_by",
        "parents",
        "triggers",
        "user_data",
        "overrides",
    }


@pytest.mark.parametrize("metadata", ["", "null", "[]", '"x"', "1"])
def test_b5_6_metadata_is_an_object_or_absent(metadata: str) -> None:
    assert start_action(assigned(metadata=metadata)).additional_metadata == ""


def test_b5_6_metadata_with_white_space() -> None:
    assert start_action(assigned(metadata=' {"a":1}')).additional_metadata == ' {"a":1}'


def test_b6_child_fields() -> None:
    action = start_action(assigned(parent_task_id=task_id(9), child_index=0, child_key="k"))
    assert action.parent_workflow_run_id == str(task_id(9))
    assert action.HasField("child_workflow_index")
    assert action.child_workflow_index == 0
    assert action.child_workflow_key == "k"


def test_b5_2_and_b6_batch_action_fields() -> None:
    members = [assigned(number, input=f'{{"n":{number}}}') for number in (1, 2)]
    batch = AssignedBatch(task_id(9), TENANT, "Hello:hello", "ann", "it is full", NOW_MS, members)
    action = batch_action(batch)
    assert action.action_type == d.ActionType.START_BATCH
    assert (action.tenant_id, action.action_id) == (str(TENANT), "Hello:hello")
    assert (action.batchId, action.batchKey) == (str(task_id(9)), "ann")
    start = action.batchStartPayload
    assert (start.triggerReason, start.expectedSize) == ("it is full", 2)
    assert start.triggerTime.seconds == NOW_MS // 1_000
    assert action.task_run_external_id == action.workflow_run_id == action.task_name == ""
    assert action.retry_count == 0
    payload = json.loads(action.action_payload)
    assert list(payload) == [str(task_id(1)), str(task_id(2))]
    one = payload[str(task_id(1))]
    assert one["payload"] == json.loads(start_action(members[0]).action_payload)
    assert one["workflow_run_id"] == start_action(members[0]).workflow_run_id
    batch.key = ""
    assert not batch_action(batch).HasField("batchKey")


def test_a_member_takes_less_than_is_counted() -> None:
    members = [assigned(number, input="{}") for number in range(1, 101)]
    batch = AssignedBatch(task_id(9), TENANT, "a:b", "", "", NOW_MS, members)
    assert len(batch_action(batch).SerializeToString()) < 100 * MEMBER_BYTES


def test_b8_batch_events() -> None:
    event = d.BatchActionEvent(batch_id=str(task_id(9)), event_type=3)
    event.items.add(
        task_run_external_id=ID,
        event_payload="boom",
        retry_count=0,
        should_not_retry=True,
        retry_after_ms=5,
    )
    event.items.add(task_run_external_id=str(task_id(2)))
    assert batch_reports(event) == [
        Report(task_id(1), 0, ReportKind.FAILED, "boom", True, 5, batch_id=task_id(9)),
        Report(task_id(2), None, ReportKind.FAILED, batch_id=task_id(9)),
    ]
    event.event_type = 2
    assert [one.payload for one in batch_reports(event)] == ["boom", ""]


def test_b8_bad_batch_events() -> None:
    for kind in (0, 4, 9):
        assert "event_type" in refused(batch_reports, d.BatchActionEvent(event_type=kind))
    event = d.BatchActionEvent(event_type=2, batch_id="x")
    assert "batch_id" in refused(batch_reports, event)
    event = d.BatchActionEvent(event_type=2)
    event.items.add(task_run_external_id="x")
    assert "task_run_external_id" in refused(batch_reports, event)


def test_e2_15_cancel_repeats_attempt_and_names() -> None:
    action = cancel_action(cancel(attempt=3))
    start = start_action(assigned(attempt=3))
    assert action.action_type == d.ActionType.CANCEL_STEP_RUN
    for field in (
        "tenant_id",
        "workflow_run_id",
        "task_run_external_id",
        "action_id",
        "retry_count",
    ):
        assert getattr(action, field) == getattr(start, field)
    assert action.action_payload == ""


# ------------------------------------------------------------------ results


@pytest.mark.parametrize(
    ("given", "output", "error"),
    [
        (result(), '{"y":2}', None),
        (result(output=None), "", None),
        (result(output="null"), "null", None),
        (result(status=Status.FAILED, output=None, error="boom"), None, "boom"),
        # An empty error looks like success to Python: say something.
        (
            result(status=Status.FAILED, output=None),
            None,
            "The task failed without an error text.",
        ),
        # CX-13: programs for the official SDKs rely on an empty result without an error.
        (
            result(status=Status.CANCELLED, output=None, error="Cancelled by user"),
            None,
            "",
        ),
    ],
)
def test_b9_results(given: RunResult, output: str | None, error: str | None) -> None:
    event = run_event(given, ID)
    (one,) = event.results
    assert event.workflow_run_id == ID
    assert event.event_timestamp.seconds == NOW_MS // 1_000
    assert (one.task_run_external_id, one.job_run_id, one.task_name) == (ID, ID, "hello")
    assert (one.output if one.HasField("output") else None) == output
    assert (one.error if one.HasField("error") else None) == error


def run_of(*tasks: TaskResult) -> RunResult:
    return RunResult(task_id(1), Status.FAILED, NOW_MS, list(tasks))


def ended(output: str | None = None, error: str | None = None) -> TaskResult:
    status = Status.COMPLETED if error is None else Status.FAILED
    return TaskResult(task_id(2), "t", status, output, error)


def test_b9_outputs_over_3_mib_empty_the_results() -> None:
    assert not run_event(run_of(ended('"' + "x" * RESULTS_BYTES_MAX + '"')), ID).results


def test_b9_long_errors_are_replaced() -> None:
    event = run_event(run_of(ended("{}"), ended(error="e" * RESULTS_BYTES_MAX)), ID)
    assert [one.output for one in event.results] == ["{}", ""]
    assert "too large for this stream" in event.results[1].error


def test_b9_bytes_count_not_characters() -> None:
    # 1.2 million characters of 3 bytes each.
    assert not run_event(run_of(ended("€" * 1_200_000)), ID).results


def test_b9_every_ended_task_of_a_dag() -> None:
    names = ("a", "skipped", "broken", "stopped")
    states = (Status.COMPLETED, Status.COMPLETED, Status.FAILED, Status.CANCELLED)
    outputs = ('{"n":1}', '{"skipped": true}', None, None)
    errors = (None, None, "boom", "a parent failed")
    tasks = [
        TaskResult(task_id(number), name, state, output, error)
        for number, (name, state, output, error) in enumerate(
            zip(names, states, outputs, errors, strict=True), 2
        )
    ]
    event = run_event(RunResult(task_id(1), Status.FAILED, NOW_MS, tasks), ID)
    assert [one.task_name for one in event.results] == list(names)
    assert [one.output for one in event.results] == ['{"n":1}', '{"skipped": true}', "", ""]
    assert [one.error for one in event.results] == ["", "", "boom", ""]
    assert [one.HasField("error") for one in event.results] == [False, False, True, True]
    assert event.workflow_run_id == ID
    assert event.results[0].task_run_external_id == str(task_id(2))


# ------------------------------------------------------------------ events


@pytest.mark.parametrize(
    ("kind", "about_run", "event_type"),
    [
        ("STARTED", False, d.ResourceEventType.STARTED),
        ("COMPLETED", False, d.ResourceEventType.COMPLETED),
        ("RUN_COMPLETED", True, d.ResourceEventType.COMPLETED),
        ("RUN_FAILED", True, d.ResourceEventType.FAILED),
        ("RUN_CANCELLED", True, d.ResourceEventType.CANCELLED),
    ],
)
def test_b10_events(kind: str, about_run: bool, event_type: int) -> None:
    event = RunEvent(task_id(1), None if about_run else task_id(2), kind, "p", 1, None, NOW_MS)
    message = workflow_event(event, hangup=about_run)
    assert message.workflow_run_id == ID
    assert message.event_type == event_type
    assert message.resource_id == (ID if about_run else str(task_id(2)))
    assert message.resource_type == (2 if about_run else 1)
    assert message.hangup is about_run
    assert message.event_payload == "p"
    assert message.HasField("retry_count") is not about_run


def test_b10_1_chunks() -> None:
    place = UUID(int=(NOW_MS << 80) + 5)
    chunk = Chunk(TENANT, task_id(1), task_id(2), 3, 4, b"a\xff", place)
    message = chunk_event(chunk)
    assert (message.workflow_run_id, message.resource_id) == (ID, str(task_id(2)))
    assert (message.event_type, message.resource_type) == (d.ResourceEventType.STREAM, 1)
    assert message.event_payload == "a\ufffd"
    assert (message.retry_count, message.event_index) == (3, 4)
    assert message.event_timestamp.seconds == NOW_MS // 1_000
    assert not message.hangup
    chunk.index = None
    assert not chunk_event(chunk).HasField("event_index")


@pytest.mark.parametrize(("header", "after"), [(None, 0), ("0", 0), ("12", 12)])
def test_position_of_a_reader(header: str | None, after: int) -> None:
    assert stream_after(header) == after


@pytest.mark.parametrize("header", ["", "-1", "x", "1.5", "\u0663", "1" * 19])
def test_bad_positions_are_refused(header: str) -> None:
    assert "hatchet-stream-after: must be the number" in refused(stream_after, header)


# ------------------------------------------------------------------ details and selections


def test_b14_4_run_details() -> None:
    answer = detail_codec.run_details(
        RunDetails(
            run_id=task_id(1),
            status=Status.FAILED,
            input='{"x":1}',
            metadata="",
            done=True,
            tasks=[
                RunTask(task_id(1), "a", Status.COMPLETED, '{"y":2}', None),
                RunTask(task_id(2), "b", Status.FAILED, None, "boom"),
                RunTask(task_id(3), "c", Status.CANCELLED, None, "Cancelled by user"),
                RunTask(task_id(4), "d", Status.QUEUED, None, None),
            ],
        )
    )
    assert (answer.input, answer.additional_metadata) == (b'{"x":1}', b"{}")
    assert answer.done
    assert answer.status == w.RunStatus.FAILED
    tasks = answer.task_runs
    assert tasks["a"].output == b'{"y":2}'
    assert not tasks["a"].HasField("error")
    assert tasks["b"].error == "boom"
    assert not tasks["b"].HasField("output")
    assert tasks["c"].error == "Cancelled by user"
    assert tasks["d"].status == w.RunStatus.QUEUED
    assert tasks["b"].readable_id == "b"
    assert tasks["b"].external_id == str(task_id(2))


def test_b14_1_selection_by_ids_and_by_filter() -> None:
    by_ids = detail_codec.selection(w.CancelTasksRequest(external_ids=[ID]), 5)
    assert (list(by_ids.ids), by_ids.filter) == ([task_id(1)], None)
    wanted = w.TasksFilter(
        statuses=["QUEUED", "running"],
        since=new_timestamp(NOW_MS),
        workflow_ids=[str(WORKFLOW)],
        additional_metadata=["a:b:c"],
    )
    by_filter = detail_codec.selection(w.ReplayTasksRequest(filter=wanted), 5)
    assert by_filter.filter == RunFilter(
        NOW_MS, None, [Status.QUEUED, Status.RUNNING], [WORKFLOW], [("a", "b:c")]
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "give exactly one"),
        ({"external_ids": [ID], "filter": w.TasksFilter()}, "give exactly one"),
        ({"external_ids": [ID] * 6}, "the limit is 5"),
        ({"external_ids": ["x"]}, "external_ids: 'x' is not a UUID"),
        ({"filter": w.TasksFilter(statuses=["DONE"])}, "'DONE' is none of QUEUED"),
        ({"filter": w.TasksFilter(additional_metadata=["ab"])}, "must look like key:value"),
        ({"filter": w.TasksFilter(workflow_ids=["x"])}, "filter.workflow_ids"),
    ],
)
def test_b14_1_bad_selections(fields: dict[str, Any], text: str) -> None:
    assert text in refused(detail_codec.selection, w.CancelTasksRequest(**fields), 5)


# ------------------------------------------------------------------ workers and logs


def test_b3_1_registration() -> None:
    command = registered_worker(
        TENANT,
        d.WorkerRegisterRequest(
            worker_name="w",
            actions=["Hello:hello"],
            services=["default"],
            slot_config={"default": 5, "durable": 7},
            labels={"a": d.WorkerLabels(str_value="x"), "b": d.WorkerLabels(int_value=0)},
            runtime_info=d.RuntimeInfo(sdk_version="1.43.1", language=2, os="linux"),
        ),
    )
    assert (command.name, command.actions, command.protocol) == ("w", ["Hello:hello"], "grpc")
    assert command.slots == {"default": 5, "durable": 7}
    assert command.labels == {"a": "x", "b": 0}
    assert command.runtime == {"sdk_version": "1.43.1", "language": "PYTHON", "os": "linux"}


def test_b3_1_old_sdks() -> None:
    with_slots = registered_worker(TENANT, d.WorkerRegisterRequest(worker_name="w", slots=3))
    assert (with_slots.slots, with_slots.runtime) == ({"default": 3}, {})
    plain = registered_worker(TENANT, d.WorkerRegisterRequest(worker_name="w"))
    assert plain.slots == {}  # the engine's default


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"slots": 1, "slot_config": {"default": 1}}, "slots, slot_config: give only one"),
        ({"services": ["a b"]}, "services: 'a b'"),
        ({"labels": {"a": d.WorkerLabels(str_value="x\0")}}, "labels: holds the null character"),
        ({"actions": ["a:b\0"]}, "actions: holds the null character"),
    ],
)
def test_b3_1_bad_registrations(fields: dict[str, Any], text: str) -> None:
    request = d.WorkerRegisterRequest(worker_name="w", **fields)
    assert text in refused(registered_worker, TENANT, request)


def test_b15_2_log_lines() -> None:
    line = log_line(
        PutLogRequest(
            task_run_external_id=ID,
            created_at=new_timestamp(5),
            message="m",
            level="WARN",
            metadata='{"a":1}',
            task_retry_count=2,
        ),
        NOW_MS,
    )
    assert (line.task_id, line.attempt, line.at_ms) == (task_id(1), 2, 5)
    assert (line.level, line.message, line.metadata) == ("WARN", "m", '{"a":1}')
    old = log_line(PutLogRequest(task_run_external_id=ID, message="m"), NOW_MS)
    assert (old.level, old.attempt, old.at_ms, old.metadata) == ("INFO", 0, NOW_MS, "")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": ""}, "message: must be 1 to 10000"),
        ({"message": "x" * 10_001}, "message: must be 1 to 10000"),
        ({"message": "m", "level": "LOUD"}, "level: must be one of DEBUG"),
        ({"message": "m", "metadata": "{"}, "metadata: is not valid JSON"),
    ],
)
def test_b15_2_bad_log_lines(fields: dict[str, Any], text: str) -> None:
    request = PutLogRequest(task_run_external_id=ID, **fields)
    assert text in refused(log_line, request, NOW_MS)


def test_ids_are_accepted_in_upper_case() -> None:
    event = d.StepActionEvent(task_run_external_id=ID.upper(), event_type=2)
    assert step_report(event).task_id == UUID(ID)
