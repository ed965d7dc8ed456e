"""`hatchet run` and `hatchet runs` against a stand-in for the REST API."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TENANT, FakeApi, Hatchet

RUN = "019a7c5e-0000-7000-8000-000000000001"
WORKFLOW = "019a7c5e-0000-7000-8000-000000000002"
STABLE = f"/api/v1/stable/tenants/{TENANT}"
RUN_PATH = f"/api/v1/stable/workflow-runs/{RUN}"


def details(status: str, **fields: Any) -> dict[str, Any]:
    run = {
        "metadata": {"id": RUN, "createdAt": "2025-01-01T00:00:00Z"},
        "displayName": "greet-1",
        "status": status,
        "output": {},
        "input": {},
        "startedAt": "2025-01-01T00:00:00.123456789Z",
        "duration": 340,
        **fields,
    }
    return {"run": run, "tasks": [], "shape": [], "taskEvents": []}


@pytest.fixture
def triggered(api: FakeApi) -> FakeApi:
    api.answers["POST", f"{STABLE}/workflow-runs/trigger"] = details("QUEUED")
    return api


def test_run_prints_the_id_and_nothing_else(triggered: FakeApi, hatchet: Hatchet) -> None:
    result = hatchet("run", "greet", "-i", '{"name": "Ada"}', "-m", "team=a=b", "--priority", "3")

    assert (result.code, result.out, result.err) == (0, f"{RUN}\n", "")
    call = triggered.calls[0]
    assert call.body == {
        "workflowName": "greet",
        "input": {"name": "Ada"},
        "additionalMetadata": {"team": "a=b"},
        "priority": 3,
        "return_only_id": True,
    }
    assert call.authorization
    assert call.authorization.startswith("Bearer ey")


def test_run_and_wait_prints_the_output(triggered: FakeApi, hatchet: Hatchet) -> None:
    triggered.answers["GET", f"{RUN_PATH}/status"] = [
        (200, "QUEUED"),
        (200, "RUNNING"),
        (200, "COMPLETED"),
    ]
    triggered.answers["GET", RUN_PATH] = details("COMPLETED", output={"text": "Hello, Ada!"})

    result = hatchet("run", "greet", "--wait")

    assert result.code == 0
    assert result.json == {"text": "Hello, Ada!"}


def test_run_and_wait_fails_with_the_reason(triggered: FakeApi, hatchet: Hatchet) -> None:
    triggered.answers["GET", f"{RUN_PATH}/status"] = "FAILED"
    triggered.answers["GET", RUN_PATH] = details("FAILED", errorMessage="no such name")

    result = hatchet("run", "greet", "--wait")
    assert result.code == 1
    assert "ended FAILED: no such name" in result.err
    assert result.out == ""

    assert hatchet("run", "greet", "--wait", "--json").json["run"]["status"] == "FAILED"


def test_wait_gives_up_in_time(triggered: FakeApi, hatchet: Hatchet) -> None:
    triggered.answers["GET", f"{RUN_PATH}/status"] = "RUNNING"
    result = hatchet("run", "greet", "--wait", "--timeout", "100ms")
    assert result.code == 1
    assert "has not ended within 0.1 s" in result.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--input", "{"], "--input is not JSON"),
        (["--input", "[1]"], "--input must be a JSON object, not list"),
        (["--input", "@missing.json"], "--input: cannot read missing.json"),
        (["--metadata", "team"], "--metadata 'team' has no value"),
        (["--timeout", "soon"], "--timeout: 'soon' is no duration"),
        (["--priority", "4"], "--priority"),
    ],
)
def test_run_refuses_bad_flags_by_name(
    arguments: list[str], expected: str, triggered: FakeApi, hatchet: Hatchet
) -> None:
    result = hatchet("run", "greet", *arguments)
    assert result.code != 0
    assert expected in result.err
    assert triggered.calls == [], "nothing may be triggered"


def test_input_from_a_file(triggered: FakeApi, hatchet: Hatchet, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"name": "Bob"}')
    assert hatchet("run", "greet", "--input", "@input.json").code == 0
    assert triggered.calls[0].body["input"] == {"name": "Bob"}


def test_unknown_workflow(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["POST", f"{STABLE}/workflow-runs/trigger"] = (
        400,
        {"errors": [{"description": "workflow 'nope' is unknown"}]},
    )
    result = hatchet("run", "nope")
    assert result.code == 1
    assert "workflow 'nope' is unknown" in result.err


def test_list_filters_and_prints(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"/api/v1/tenants/{TENANT}/workflows"] = {
        "rows": [
            {"name": "greet", "metadata": {"id": WORKFLOW}},
            {"name": "greet-all", "metadata": {"id": "other"}},
        ]
    }
    row = details("FAILED", errorMessage="ValueError: [no] name\nTraceback")["run"]
    api.answers["GET", f"{STABLE}/workflow-runs"] = {"rows": [row], "pagination": {}}

    result = hatchet(
        "runs", "list", "-s", "failed", "-w", "greet", "-m", "team=blue", "--limit", "5"
    )

    assert result.code == 0, result.err
    assert RUN in result.out
    assert "ValueError: [no] name" in result.out
    query = api.calls[-1].query
    assert query["statuses"] == ["FAILED"]
    assert query["workflow_ids"] == [WORKFLOW]
    assert query["additional_metadata"] == ["team:blue"]
    assert query["only_tasks"] == ["false"]
    assert query["since"][0].endswith("Z")
    assert hatchet("runs", "list", "--json").json == [row]


def test_list_of_an_unknown_workflow(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"/api/v1/tenants/{TENANT}/workflows"] = {"rows": []}
    result = hatchet("runs", "list", "-w", "nope")
    assert result.code == 1
    assert "no workflow 'nope'" in result.err


def test_list_of_an_unknown_status(api: FakeApi, hatchet: Hatchet) -> None:
    result = hatchet("runs", "list", "-s", "done")
    assert result.code == 2
    assert "choose from QUEUED" in result.err


def test_get(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", RUN_PATH] = details("COMPLETED", output={"text": "hi"})
    result = hatchet("runs", "get", RUN)
    assert "COMPLETED" in result.out
    assert '{"text": "hi"}' in result.out
    assert "340 ms" in result.out
    assert hatchet("runs", "get", RUN, "--json").json["run"]["metadata"]["id"] == RUN


WHY_PATH = f"/api/v1/stable/tasks/{RUN}/why"


def test_get_of_a_queued_run_names_what_it_waits_for(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", RUN_PATH] = details("QUEUED")
    assert "waits" not in hatchet("runs", "get", RUN).out  # a server that can't tell
    api.answers["GET", WHY_PATH] = {
        "run": RUN,
        "state": "QUEUED",
        "message": "No worker offers [a]. It is first in its queue.",
        "blockers": [{"kind": "NO_WORKER", "message": "No worker offers [a]."}],
        "tasksLeftOut": 0,
    }
    result = hatchet("runs", "get", RUN)
    assert "No worker offers [a]." in result.out
    assert hatchet("runs", "get", RUN, "--json").json == details("QUEUED")


def test_why(api: FakeApi, hatchet: Hatchet) -> None:
    task = "019a7c5e-0000-7000-8000-000000000003"
    answer = {
        "run": RUN,
        "state": "QUEUED",
        "since": "2025-01-01T00:00:00Z",
        "message": "…",
        "blockers": [
            {
                "kind": "CONCURRENCY",
                "message": "Concurrency key 'a': 1 of 1 places are taken.",
                "holders": [{"id": task, "workflow": "greet", "since": "2025-01-01T00:00:00Z"}],
            },
            {"kind": "NO_WORKER", "taskName": "mail", "message": "No worker offers x."},
        ],
        "place": {"of": "its line", "position": 10_000, "more": True},
        "remedy": "Start one.",
        "tasksLeftOut": 7,
        "partial": "This is a standby.",
    }
    api.answers["GET", WHY_PATH] = answer
    lines = [line.rstrip() for line in hatchet("why", RUN).out.splitlines()]
    assert lines[0].split() == ["run", RUN]
    told = "\n".join(lines)
    assert "behind more than 10,000 in its line" in told
    assert f"greet {task}, " in told
    assert "mail NO_WORKER" in told
    for words in ("do ", "Start one.", "more tasks ", "7", "This is a standby."):
        assert words in told
    assert hatchet("why", RUN, "--json").json == answer


def test_why_of_an_unknown_run(api: FakeApi, hatchet: Hatchet) -> None:
    result = hatchet("why", RUN)
    assert result.code == 1
    assert "not found" in result.err


def test_get_shows_who_comes_after_whom(api: FakeApi, hatchet: Hatchet) -> None:
    answer = details("RUNNING")
    names, edges = ("load", "store", "mail"), {"load": ["s-store", "s-mail"], "store": ["s-mail"]}
    answer["shape"] = [
        {
            "taskExternalId": f"t-{name}",
            "stepId": f"s-{name}",
            "taskName": name,
            "childrenStepIds": edges.get(name, []),
        }
        for name in names
    ]
    answer["tasks"] = [
        {
            "taskExternalId": f"t-{name}",
            "displayName": f"{name}-1",
            "status": "COMPLETED" if name == "load" else "QUEUED",
            "isSkipped": name == "load",
        }
        for name in names
    ]
    api.answers["GET", RUN_PATH] = answer
    lines = hatchet("runs", "get", RUN).out.splitlines()
    [load, store, mail] = [line.split() for line in lines if line.startswith("t-")]
    assert load == ["t-load", "load", "SKIPPED"]
    assert store == ["t-store", "store", "load", "QUEUED"]
    assert mail == ["t-mail", "mail", "load,", "store", "QUEUED"]


def test_get_of_an_unknown_run(api: FakeApi, hatchet: Hatchet) -> None:
    result = hatchet("runs", "get", RUN)
    assert result.code == 1
    assert "not found" in result.err


def test_watch_one_run(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{RUN_PATH}/status"] = [(200, "RUNNING"), (200, "CANCELLED")]
    api.answers["GET", RUN_PATH] = details("CANCELLED")
    result = hatchet("runs", "watch", RUN)
    assert result.code == 1
    assert f"{RUN} CANCELLED" in result.out


def test_watch_the_latest_as_json_lines(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{STABLE}/workflow-runs"] = {"rows": [details("RUNNING")["run"]]}
    result = hatchet("runs", "watch", "--json", "--timeout", "50ms")
    assert result.code == 0
    assert result.json["status"] == "RUNNING"


@pytest.mark.parametrize("verb", ["cancel", "replay"])
def test_cancel_and_replay_by_id(verb: str, api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{STABLE}/workflow-runs/display-names"] = {
        "rows": [{"metadata": {"id": RUN}}]
    }
    api.answers["POST", f"{STABLE}/tasks/{verb}"] = {"ids": [RUN]}
    result = hatchet("runs", verb, RUN)
    assert (result.code, result.out) == (0, f"{RUN}\n")
    assert api.calls[-1].body == {"externalIds": [RUN]}


def test_cancel_with_children(api: FakeApi, hatchet: Hatchet) -> None:
    known = {"rows": [{"metadata": {"id": RUN}}]}
    api.answers["GET", f"{STABLE}/workflow-runs/display-names"] = known
    api.answers["POST", f"{STABLE}/tasks/cancel"] = {"ids": [RUN]}
    assert hatchet("runs", "cancel", RUN, "--children").out == f"{RUN}\n"
    assert api.calls[-1].body == {"externalIds": [RUN], "includeChildren": True}


def test_rerun_with_another_input(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["POST", f"{STABLE}/workflow-runs/{WORKFLOW}/rerun"] = details("QUEUED")
    assert hatchet("runs", "rerun", WORKFLOW).out == f"{RUN}\n"
    assert api.calls[-1].body == {}  # all that is not given comes from the run
    more = ("-i", '{"name": "Bob"}', "-m", "team=blue", "--priority", "2", "--json")
    assert hatchet("runs", "rerun", WORKFLOW, *more).json == {"id": RUN}
    assert api.calls[-1].body == {
        "input": {"name": "Bob"},
        "additionalMetadata": {"team": "blue"},
        "priority": 2,
    }


def test_an_id_that_nobody_knows(api: FakeApi, hatchet: Hatchet) -> None:
    api.answers["GET", f"{STABLE}/workflow-runs/display-names"] = {
        "rows": [{"metadata": {"id": RUN}}]
    }
    result = hatchet("runs", "cancel", RUN, WORKFLOW)
    assert (result.code, result.out) == (1, "")
    assert f"there is no run {WORKFLOW}" in result.err


def test_many_runs_are_cancelled_in_steps(api: FakeApi, hatchet: Hatchet) -> None:
    operation = {"id": RUN, "total": 50_000}
    api.answers["POST", f"{STABLE}/tasks/cancel"] = {"ids": [], "bulkOperation": operation}
    result = hatchet("runs", "cancel", "--status", "QUEUED", "--yes")
    assert (result.code, result.out) == (0, "")
    assert f"50000 runs asked to cancel, in steps: operation {RUN}" in result.err
    result = hatchet("runs", "cancel", "--status", "QUEUED", "--yes", "--json")
    assert result.json == {"ids": [], "bulkOperation": operation}


def test_cancel_by_filter_asks_first(
    api: FakeApi, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers["POST", f"{STABLE}/tasks/cancel"] = {"ids": []}
    result = hatchet("runs", "cancel", "--status", "QUEUED", "--yes", "--json")
    assert result.json == {"ids": []}
    body = api.calls[0].body["filter"]
    assert body["statuses"] == ["QUEUED"]
    assert "workflowIds" not in body

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert hatchet("runs", "cancel", "--status", "QUEUED").code == 1
    assert len(api.calls) == 1


@pytest.mark.parametrize("arguments", [[], [RUN, "--status", "FAILED"]])
def test_cancel_needs_one_kind_of_choice(
    arguments: list[str], api: FakeApi, hatchet: Hatchet
) -> None:
    assert hatchet("runs", "cancel", *arguments).code == 2
    assert api.calls == []


def test_workers_list(api: FakeApi, hatchet: Hatchet) -> None:
    row = {
        "name": "w1",
        "status": "ACTIVE",
        "metadata": {"id": "id-1"},
        "actions": ["greet:greet"],
        "slotConfig": {"default": {"available": 97, "limit": 100}},
        "lastHeartbeatAt": "0001-01-01T00:00:00Z",
    }
    api.answers["GET", f"/api/v1/tenants/{TENANT}/worker"] = {"rows": [row]}
    result = hatchet("workers", "list")
    assert "default 97/100" in result.out
    assert api.calls[0].query["statuses"] == ["ACTIVE", "PAUSED"]
    assert hatchet("workers", "list", "--all", "--json").json == [row]
    assert "statuses" not in api.calls[1].query


def test_empty_lists_say_so_on_standard_error(api: FakeApi, hatchet: Hatchet) -> None:
    for noun in ("worker", "workflows"):
        api.answers["GET", f"/api/v1/tenants/{TENANT}/{noun}"] = {"rows": []}
    workers, workflows = hatchet("workers", "list"), hatchet("workflows", "list")
    assert workers.out == workflows.out == ""
    assert "no workers are connected" in workers.err
    assert "start a worker" in workflows.err
