"""Crons and scheduled runs in the SDK: what is asked of the engine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import BaseModel

from hatchet import (
    CatchUp,
    Context,
    Cron,
    DedupeViolationError,
    Hatchet,
    HatchetCallError,
    Overlap,
    ScheduledRunStatus,
    ScheduleTriggerWorkflowOptions,
)
from hatchet._wire.schedules import schedule_request
from hatchet.clients.rest.exceptions import NotFoundException
from hatchet_protocol.times import timestamp_ms

from .test_features import META, FakeRest, hatchet, rest

__all__ = ["hatchet", "rest"]

COMMON = {
    "metadata": META,
    "tenantId": "t",
    "workflowVersionId": "v",
    "workflowId": "w",
    "workflowName": "report",
    "method": "API",
}
CRON = {**COMMON, "cron": "* * * * *", "name": "c", "enabled": True, "catchUp": "ALL"}
SCHEDULED = {**COMMON, "triggerAt": META["createdAt"], "somethingNew": 1}
AT = datetime(2026, 5, 1, 8, tzinfo=timezone(timedelta(hours=2)))
AT_TEXT = "2026-05-01T06:00:00.000000Z"


class Report(BaseModel):
    kind: str


def report_of(hatchet: Hatchet, **options: Any) -> Any:
    @hatchet.task(name="report", input_validator=Report, **options)
    async def report(input: Report, ctx: Context) -> dict[str, str]:
        return {}

    return report


def test_a_cron_is_its_text() -> None:
    text = Cron(
        "0 3 * * *",
        zone="Europe/Berlin",
        catch_up=CatchUp.ALL,
        catch_up_max=5,
        overlap=Overlap.CANCEL_OLD,
        jitter=timedelta(seconds=90),
        start=datetime(2026, 1, 1),  # noqa: DTZ001 (a time without zone is UTC)
        end=AT,
    )
    assert text == (
        "CRON_TZ=Europe/Berlin CATCH_UP=ALL:5 OVERLAP=CANCEL_OLD JITTER=90s "
        "START=2026-01-01T00:00:00+00:00 END=2026-05-01T06:00:00+00:00 0 3 * * *"
    )
    assert Cron("* * * * *") == "* * * * *"
    with pytest.raises(ValueError, match="catch_up_max"):
        Cron("* * * * *", catch_up_max=5)
    with pytest.raises(ValueError, match="NEVER"):
        Cron("* * * * *", overlap="NEVER")  # type: ignore[arg-type]


def test_declared_crons(hatchet: Hatchet) -> None:
    task = report_of(hatchet, on_crons=[Cron("0 3 * * *", zone="UTC"), "* * * * *"])
    assert list(task.to_proto().cron_triggers) == ["CRON_TZ=UTC 0 3 * * *", "* * * * *"]


def test_cron_client(rest: FakeRest, hatchet: Hatchet) -> None:
    page = {"rows": [CRON], "pagination": {"current_page": 1, "num_pages": 1}}
    ticks = {"zone": "UTC", "ticks": [AT_TEXT]}
    rest.answers = [
        (200, CRON), (200, CRON), (200, page), (204, None), (204, None), (204, None),
        (200, {"externalId": "r"}), (200, ticks),
    ]  # fmt: skip
    made = hatchet.cron.create("report", "c", "* * * * *", {"a": 1}, {"k": "v"}, 2)
    assert (made.cron, made.catch_up, made.overlap) == ("* * * * *", CatchUp.ALL, Overlap.ALLOW)
    assert asyncio.run(hatchet.cron.aio_get("c1")).name == "c"
    assert hatchet.cron.list(limit=5, workflow_name="report", additional_metadata={"k": "v"}).rows
    hatchet.cron.delete("c1")
    hatchet.cron.enable("c1")
    hatchet.cron.disable("c1")
    assert hatchet.cron.trigger("c1") == "r"
    assert hatchet.cron.preview("* * * * *", 1, AT) == [AT.astimezone(UTC)]
    base = f"/api/v1/tenants/{hatchet.tenant_id}/workflows"
    assert [request[:2] for request in rest.requests] == [
        ("POST", f"{base}/report/crons"),
        ("GET", f"{base}/crons/c1"),
        ("GET", f"{base}/crons"),
        ("DELETE", f"{base}/crons/c1"),
        ("PATCH", f"{base}/crons/c1"),
        ("PATCH", f"{base}/crons/c1"),
        ("POST", f"{base}/crons/c1"),
        ("GET", f"{base}/crons/preview"),
    ]
    assert rest.requests[0][3] == {
        "cronName": "c",
        "cronExpression": "* * * * *",
        "input": {"a": 1},
        "additionalMetadata": {"k": "v"},
        "priority": 2,
    }
    assert rest.requests[2][2] == {
        "limit": ["5"],
        "workflowName": ["report"],
        "additionalMetadata": ["k:v"],
    }
    assert [rest.requests[number][3] for number in (4, 5)] == [
        {"enabled": True},
        {"enabled": False},
    ]
    assert rest.requests[7][2]["after"] == [AT_TEXT]


def test_create_cron_takes_the_typed_input_and_any_expression(
    rest: FakeRest, hatchet: Hatchet
) -> None:
    rest.answers = [(200, CRON), (200, CRON)]
    task = report_of(hatchet)
    task.create_cron("c", "0 3 * * MON-FRI", Report(kind="x"))
    asyncio.run(task.aio_create_cron("c", "* * * * *", Report(kind="x"), {"k": "v"}, 3))
    assert [request[3]["input"] for request in rest.requests] == [{"kind": "x"}] * 2
    assert rest.requests[0][3]["cronExpression"] == "0 3 * * MON-FRI"
    assert "priority" not in rest.requests[0][3]  # the workflow's own
    assert rest.requests[1][3]["priority"] == 3


def test_scheduled_client(rest: FakeRest, hatchet: Hatchet) -> None:
    bulk: dict[str, Any] = {"errors": [{"id": "s2", "error": "no"}]}
    page = {"rows": [SCHEDULED], "pagination": {"current_page": 1, "num_pages": 1}}
    rest.answers = [
        (200, SCHEDULED), (200, SCHEDULED), (200, SCHEDULED), (204, None), (200, page),
        (200, {**bulk, "deletedIds": ["s1"]}), (200, {**bulk, "deletedIds": []}),
        (200, {**bulk, "updatedIds": ["s1"]}), (200, {"externalId": "r"}),
    ]  # fmt: skip
    hatchet.scheduled.create("report", AT, {"a": 1}, priority=1)
    asyncio.run(hatchet.scheduled.aio_get("s1"))
    hatchet.scheduled.update("s1", AT)
    hatchet.scheduled.delete("s1")
    statuses = [ScheduledRunStatus.SCHEDULED, ScheduledRunStatus.FAILED]
    assert hatchet.scheduled.list(statuses=statuses).rows
    assert hatchet.scheduled.bulk_delete(scheduled_ids=["s1", "s2"]).deleted_ids == ["s1"]
    hatchet.scheduled.bulk_delete(workflow_id="w", additional_metadata={"k": "v"})
    changed = hatchet.scheduled.bulk_update([("s1", AT), ("s2", AT)])
    assert (changed.updated_ids, changed.errors[0].error) == (["s1"], "no")
    assert hatchet.scheduled.trigger("s1") == "r"
    bodies = [request[3] for request in rest.requests]
    assert bodies[0] == {
        "triggerAt": AT_TEXT,
        "input": {"a": 1},
        "additionalMetadata": {},
        "priority": 1,
    }
    assert bodies[2] == {"triggerAt": AT_TEXT}
    assert rest.requests[4][2] == {"statuses": ["SCHEDULED", "FAILED"]}
    assert bodies[5] == {"scheduledWorkflowRunIds": ["s1", "s2"]}
    assert bodies[6] == {"filter": {"workflowId": "w", "additionalMetadata": ["k:v"]}}
    assert bodies[7]["updates"][1] == {"id": "s2", "triggerAt": AT_TEXT}
    with pytest.raises(ValueError, match="bulk_delete needs"):
        hatchet.scheduled.bulk_delete()


def test_times_without_zone_are_utc() -> None:
    naive = AT.astimezone(UTC).replace(tzinfo=None)
    for at in (naive, AT):
        request = schedule_request("w", [at], "", "{}", None, (None, None, None, None))
        assert timestamp_ms(request.schedules[0]) == int(AT.timestamp() * 1_000)
        assert not request.HasField("priority")


def test_what_schedule_sends(hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    session = hatchet._client.session

    def answer(path: str, request: Any, **options: Any) -> Any:
        sent.append((path, request, options))
        if len(sent) > 2:
            raise HatchetCallError("ALREADY_EXISTS" if len(sent) == 3 else "NOT_FOUND", "no")

    monkeypatch.setattr(session, "unary_sync", answer)
    task = report_of(hatchet, default_additional_metadata={"a": "b"})
    task.schedule(AT, Report(kind="x"), additional_metadata={"k": "v"}, priority=3, child_key="c")
    path, request, options = sent[0]
    assert (path, options) == ("/WorkflowService/ScheduleWorkflow", {"once": True})
    assert (request.name, request.input) == ("report", '{"kind":"x"}')
    assert request.additional_metadata == '{"a":"b","k":"v"}'
    assert (request.priority, request.child_key) == (3, "c")
    task.schedule(AT, Report(kind="x"), ScheduleTriggerWorkflowOptions(namespace="other_"))
    assert sent[1][1].name == "other_report"
    with pytest.raises(DedupeViolationError):
        task.schedule(AT, Report(kind="x"))
    with pytest.raises(HatchetCallError):
        task.schedule(AT, Report(kind="x"))


def test_whatever_is_taken_for_an_id_stays_in_its_place(hatchet: Hatchet, rest: FakeRest) -> None:
    for id in ("a b", "b\u00fccher", "x?limit=1", "50%"):
        rest.answers.append((404, {"errors": [{"description": "not found"}]}))
        with pytest.raises(NotFoundException):
            hatchet.cron.get(id)
    assert [unquote(path).rpartition("/")[2] for _, path, _, _ in rest.requests] == [
        "a b",
        "b\u00fccher",
        "x?limit=1",
        "50%",
    ]
