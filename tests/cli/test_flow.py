"""`hatchet rate-limits`, `pauses`, and pausing workflows and workers."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import TENANT, FakeApi, Hatchet

WORKFLOW = "019a7c5e-0000-7000-8000-000000000002"
OLD = f"/api/v1/tenants/{TENANT}"
STABLE = f"/api/v1/stable/tenants/{TENANT}"
LIMIT = {
    "key": "mail-api",
    "limitValue": 10,
    "value": 3,
    "window": "1 MINUTE",
    "lastRefill": "2025-01-01T00:00:00Z",
    "isPaused": True,
    "pausedUntil": "2025-01-01T00:01:00Z",
}
PAUSE = {
    "kind": "WORKFLOW",
    "target": WORKFLOW,
    "workflowId": WORKFLOW,
    "workflowName": "billing",
    "since": "2025-01-01T00:00:00Z",
    "by": "ada",
    "reason": "bank is down",
}
KEY = {**PAUSE, "kind": "CONCURRENCY_KEY", "target": "c1:ann", "key": "ann"}
ALL = {**PAUSE, "kind": "TENANT", "target": ""}


@pytest.fixture
def registered(api: FakeApi) -> FakeApi:
    row = {"name": "billing", "metadata": {"id": WORKFLOW}}
    api.answers["GET", f"{OLD}/workflows"] = {"rows": [row]}
    api.answers["POST", f"{STABLE}/pauses"] = PAUSE
    api.answers["DELETE", f"{STABLE}/pauses"] = {}
    return api


def soon(text: str, expected: timedelta) -> bool:
    until = datetime.fromisoformat(text)
    return abs(until - datetime.now(UTC) - expected) < timedelta(seconds=10)


def test_rate_limits_list(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{OLD}/rate-limits"] = {"rows": [LIMIT]}
    result = hatchet("rate-limits", "list", "--search", "mail")
    assert result.code == 0
    assert result.out.split() == [
        *("key", "left", "limit", "per", "paused"),
        *("mail-api", "3", "10", "minute", "until", "2025-01-01T00:01:00Z"),
    ]
    assert api.calls[0].query == {"search": ["mail"], "limit": ["50"], "offset": ["0"]}
    assert hatchet("rate-limits", "list", "--json").json == [LIMIT]
    api.answers["GET", f"{OLD}/rate-limits"] = {"rows": []}
    assert hatchet("rate-limits", "list").err == "no rate limits\n"


def test_rate_limits_put_and_delete(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["PUT", f"{STABLE}/rate-limits"] = {}
    api.answers["DELETE", f"{OLD}/rate-limits"] = {}
    assert hatchet("rate-limits", "put", "mail-api", "10", "--per", "minute").code == 0
    assert hatchet("rate-limits", "delete", "mail-api").err == "mail-api is deleted\n"
    put, delete = api.calls
    assert put.body == {"key": "mail-api", "limit": 10, "window": "MINUTE"}
    assert delete.query == {"key": ["mail-api"]}
    assert hatchet("rate-limits", "put", "mail-api", "-1").code == 2
    assert hatchet("rate-limits", "put", "mail-api", "1", "--per", "fortnight").code == 2
    assert len(api.calls) == 2


PAUSED_KEY = {**PAUSE, "kind": "RATE_LIMIT", "target": "mail-api", "key": "mail-api"}
PAUSED_WORKER = {**PAUSE, "kind": "WORKER", "target": "w1", "workerId": "w1", "workerName": "big"}


@pytest.mark.parametrize(
    ("command", "name", "row", "asked"),
    [
        ("rate-limits", "rate limit mail-api", PAUSED_KEY, {"key": "mail-api"}),
        ("workers", "worker big", PAUSED_WORKER, {"workerId": "w1"}),
    ],
)
def test_pauses_of_rate_limits_and_workers(
    api: FakeApi,
    hatchet: Hatchet,
    command: str,
    name: str,
    row: dict[str, Any],
    asked: dict[str, str],
) -> None:
    api.answers["POST", f"{STABLE}/pauses"] = row
    api.answers["DELETE", f"{STABLE}/pauses"] = {}
    api.answers["GET", f"{STABLE}/pauses"] = {"rows": [row]}
    result = hatchet(command, "pause", row["target"], "--for", "90s", "--reason", "why not")
    assert result.err == f"{name} is paused\n"
    body = api.calls[-1].body
    assert soon(body.pop("until"), timedelta(seconds=90))
    who = {"by": getpass.getuser(), "reason": "why not"}
    assert body == {"kind": row["kind"], **asked, **who}
    assert hatchet(command, "pause", row["target"], "--json").json == row
    assert "until" not in api.calls[-1].body
    assert hatchet(command, "resume", row["target"]).err == "the pause has ended\n"
    assert api.calls[-1].query == {"kind": [row["kind"]], "target": [row["target"]]}
    assert name in hatchet("pauses", "list").out
    assert "--for" in hatchet(command, "pause", row["target"], "--for", "soon").err


def test_workflows_pause_and_resume(registered: FakeApi, hatchet: Hatchet) -> None:
    result = hatchet(
        *("workflows", "pause", "billing", "--for", "2h", "--queue-ttl", "30d"),
        *("--reason", "bank is down"),
    )
    assert (result.code, result.err) == (0, "workflow billing is paused\n")
    body = registered.calls[-1].body
    assert soon(body.pop("until"), timedelta(hours=2))
    assert body == {
        "kind": "WORKFLOW",
        "workflowId": WORKFLOW,
        "queueTTL": "2592000000ms",
        "by": getpass.getuser(),
        "reason": "bank is down",
    }
    assert hatchet("workflows", "pause", "billing", "--json").json == PAUSE
    assert set(registered.calls[-1].body) == {"kind", "workflowId", "by", "reason"}
    assert hatchet("workflows", "resume", "billing").code == 0
    assert registered.calls[-1].query == {"kind": ["WORKFLOW"], "target": [WORKFLOW]}
    result = hatchet("workflows", "pause", "biling")
    assert (result.code, "there is no workflow 'biling'" in result.err) == (1, True)


def test_pauses(registered: FakeApi, hatchet: Hatchet) -> None:
    registered.answers["GET", f"{STABLE}/pauses"] = {"rows": [ALL, PAUSE, KEY]}
    out = hatchet("pauses", "list").out
    for text in ("everything", "workflow billing", "key ann of billing", "bank is down", "c1:ann"):
        assert text in out
    assert hatchet("pauses", "list", "--json").json == [ALL, PAUSE, KEY]

    def ended(*arguments: str) -> Any:
        assert hatchet("pauses", "end", *arguments).code == 0
        return registered.calls[-1].query

    assert ended("c1:ann") == {"kind": ["CONCURRENCY_KEY"], "target": ["c1:ann"]}
    assert ended() == {"kind": ["TENANT"]}  # its target is empty
    result = hatchet("pauses", "end", "c2:bob")
    assert (result.code, "no pause has the target 'c2:bob'" in result.err) == (1, True)

    hatchet("pauses", "all", "--for", "10m", "--reason", "deploy")
    body = registered.calls[-1].body
    assert (body["kind"], body["reason"]) == ("TENANT", "deploy")
    hatchet("pauses", "key", "billing", "ann", "--task", "charge", "--expression", "input.user")
    body = registered.calls[-1].body
    assert body == {
        "kind": "CONCURRENCY_KEY",
        "workflowId": WORKFLOW,
        "key": "ann",
        "taskName": "charge",
        "expression": "input.user",
        "by": getpass.getuser(),
        "reason": "",
    }
