"""`hatchet cron` and `hatchet scheduled` against a stand-in for the REST API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hatchet_cli.output import CommandError
from hatchet_cli.scheduled import read_moment
from tests.cli.conftest import TENANT, FakeApi, Hatchet

ID = "019a7c5e-0000-7000-8000-000000000001"
RUN = "019a7c5e-0000-7000-8000-000000000002"
WORKFLOWS = f"/api/v1/tenants/{TENANT}/workflows"
CRON = {
    "metadata": {"id": ID},
    "workflowName": "report",
    "name": "mornings",
    "cron": "0 7 * * *",
    "zone": "Europe/Berlin",
    "enabled": True,
    "nextRunAt": "2026-01-01T06:00:00Z",
}
SCHEDULED: dict[str, Any] = {
    "metadata": {"id": ID},
    "workflowName": "remind",
    "triggerAt": "2026-01-01T06:00:00Z",
}


def test_cron_list(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{WORKFLOWS}/crons"] = {"rows": [CRON, {**CRON, "name": ""}]}
    out = hatchet("cron", "list", "-w", "report").out
    assert "mornings" in out
    assert "(declared)" in out
    assert api.calls[0].query["workflowName"] == ["report"]
    assert hatchet("cron", "list", "--json").json[0] == CRON


def test_cron_create(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["POST", f"{WORKFLOWS}/report/crons"] = CRON
    result = hatchet(
        "cron", "create", "report", "mornings", "0 7 * * *", "--zone", "Europe/Berlin",
        "-i", '{"n": 1}', "-m", "a=b", "--priority", "2",
    )  # fmt: skip
    assert result.out == f"{ID}\n"
    assert api.calls[0].body == {
        "cronName": "mornings",
        "cronExpression": "0 7 * * *",
        "input": {"n": 1},
        "additionalMetadata": {"a": "b"},
        "priority": 2,
        "zone": "Europe/Berlin",
    }


def test_cron_changes(api: FakeApi, hatchet: Hatchet) -> None:
    path = f"{WORKFLOWS}/crons/{ID}"
    api.answers["PATCH", path] = {}
    api.answers["DELETE", path] = {}
    api.answers["POST", path] = {"externalId": RUN}
    assert hatchet("cron", "enable", ID).err == f"cron {ID} is enabled\n"
    assert hatchet("cron", "disable", ID).err == f"cron {ID} is disabled\n"
    assert hatchet("cron", "delete", ID).code == 0
    assert hatchet("cron", "run-now", ID).out == f"{RUN}\n"
    assert [(call.method, call.body) for call in api.calls] == [
        ("PATCH", {"enabled": True}),
        ("PATCH", {"enabled": False}),
        ("DELETE", None),
        ("POST", {}),
    ]


def test_cron_preview_shows_times_of_the_zone(api: FakeApi, hatchet: Hatchet) -> None:
    answer = {"zone": "Europe/Berlin", "ticks": ["2026-01-01T06:00:00Z", "2026-07-01T05:00:00Z"]}
    api.answers["GET", f"{WORKFLOWS}/crons/preview"] = answer
    result = hatchet("cron", "preview", "0 7 * * *", "--zone", "Europe/Berlin", "-n", "2")
    assert result.out == "Thu 2026-01-01 07:00:00 +0100\nWed 2026-07-01 07:00:00 +0200\n"
    assert api.calls[0].query == {
        "expression": ["0 7 * * *"],
        "zone": ["Europe/Berlin"],
        "count": ["2"],
    }
    assert hatchet("cron", "preview", "0 7 * * *", "--json").json == answer


def test_scheduled(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{WORKFLOWS}/scheduled"] = {"rows": [SCHEDULED]}
    api.answers["POST", f"{WORKFLOWS}/remind/scheduled"] = SCHEDULED
    api.answers["DELETE", f"{WORKFLOWS}/scheduled/{ID}"] = {}
    api.answers["POST", f"{WORKFLOWS}/scheduled/{ID}"] = {"externalId": RUN}
    api.answers["PATCH", f"{WORKFLOWS}/scheduled/{ID}"] = SCHEDULED
    assert "SCHEDULED" in hatchet("scheduled", "list", "-s", "scheduled").out
    assert api.calls[-1].query["statuses"] == ["SCHEDULED"]
    at = "2026-05-01T08:00:00+02:00"
    assert hatchet("scheduled", "create", "remind", at).out == f"{ID}\n"
    assert api.calls[-1].body["triggerAt"] == "2026-05-01T06:00:00+00:00"
    assert hatchet("scheduled", "run-now", ID).out == f"{RUN}\n"
    assert "due at 2026" in hatchet("scheduled", "move", ID, at).err
    assert api.calls[-1].body == {"triggerAt": "2026-05-01T06:00:00+00:00"}
    assert hatchet("scheduled", "move", ID, "never").code == 2
    assert hatchet("scheduled", "delete", ID).code == 0
    assert hatchet("scheduled", "create", "remind", "soon").code == 2


def test_moments() -> None:
    at = datetime.fromisoformat(read_moment("+15m")) - datetime.now(UTC)
    assert timedelta(minutes=14) < at <= timedelta(minutes=15)
    for text in ("+soon", "soon", "0001-01-01", "9999-12-31T23:00:00-12:00", "+366001d", "+1e9d"):
        with pytest.raises(CommandError, match="WHEN"):
            read_moment(text)


def test_what_code_has_scheduled_is_not_a_matter_of_the_token(
    api: FakeApi, hatchet: Hatchet
) -> None:
    text = "Cannot change a scheduled run that was created by code"
    api.answers["DELETE", f"{WORKFLOWS}/scheduled/{ID}"] = (403, {"description": text})
    result = hatchet("scheduled", "delete", ID)
    assert result.code == 1
    assert text in result.err
    assert "token" not in result.err
