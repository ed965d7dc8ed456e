"""`hatchet events` against a stand-in for the REST API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatchet_cli.output import make_table, print_table
from tests.cli.conftest import TENANT, FakeApi, Hatchet

EVENT = "019a7c5e-0000-7000-8000-000000000003"
RUN = "019a7c5e-0000-7000-8000-000000000001"
EVENTS = f"/api/v1/stable/tenants/{TENANT}/events"


def event(**fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"id": EVENT},
        "key": "order:created",
        "seenAt": "2025-01-01T00:00:00Z",
        "payload": {"id": 7},
        "workflowRunSummary": {"queued": 1, "succeeded": 2},
        **fields,
    }


def test_push_prints_the_runs(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["POST", EVENTS] = event(triggeredRuns=[{"workflowRunId": RUN}])
    options = ["-p", '{"id": 7}', "--scope", "shop", "--priority", "3", "-m", "team=blue"]
    result = hatchet("events", "push", "order:created", *options)
    assert (result.code, result.out) == (0, f"{RUN}\n")
    assert f"event {EVENT} started 1 run\n" in result.err
    assert api.calls[0].body == {
        "key": "order:created",
        "data": {"id": 7},
        "additionalMetadata": {"team": "blue"},
        "scope": "shop",
        "priority": 3,
    }


def test_push_as_json(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["POST", EVENTS] = event()
    assert hatchet("events", "push", "a", "--json").json == event()
    assert api.calls[0].body == {"key": "a", "data": {}, "additionalMetadata": {}}


def test_a_payload_that_is_no_object(api: FakeApi, hatchet: Hatchet) -> None:
    result = hatchet("events", "push", "a", "--payload", "[1]")
    assert result.code == 1
    assert "--payload must be a JSON object, not list" in result.err
    assert not api.calls


def test_list(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", EVENTS] = {"rows": [event(scope="shop")]}
    result = hatchet("events", "list", "--key", "order:created", "--scope", "shop")
    header, line = result.out.splitlines()
    assert header.split() == ["event", "key", "scope", "pushed", "runs", "payload"]
    assert line.split()[:3] == [EVENT, "order:created", "shop"]
    assert line.rstrip().endswith(json.dumps({"id": 7}))
    assert " 3 " in line
    query = api.calls[0].query
    assert (query["keys"], query["scopes"]) == (["order:created"], ["shop"])
    api.answers["GET", EVENTS] = {"rows": []}
    assert hatchet("events", "list", "--since", "1h").err == "no events within 1h\n"


@pytest.mark.parametrize("error", ["", "x" * 300])
def test_a_narrow_terminal_cuts_no_ids(
    error: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only long texts are cut, and only in a terminal: what is piped stays whole."""
    monkeypatch.setenv("COLUMNS", "40")
    rows = [[RUN, "tell-a-long-story", "COMPLETED", error]]
    headers = ["run", "workflow", "status", "error"]
    print_table(headers, rows, empty="")
    header, line = capfd.readouterr().out.splitlines()
    assert header.split() == headers[: 4 if error else 3]
    assert line.split() == [word for word in rows[0] if word]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(headers, rows, empty="")
    _, line = capfd.readouterr().out.splitlines()
    assert RUN in line
    assert "COMPLETED" in line
    assert len(line) < 130
    assert make_table(headers, rows).row_count == 1
