"""`hatchet runs`: look at runs, follow them, cancel and replay them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from hatchet_cli import failures, output
from hatchet_cli.durations import read_duration
from hatchet_cli.run import (
    FINAL_STATUSES,
    NewMetadata,
    NewPriority,
    read_input,
    read_metadata,
    wait_for_end,
)
from hatchet_cli.why import first_reason
from hatchet_cli.workflows import workflow_ids

RUN_COLUMNS = ("run", "workflow", "status", "began", "took", "error")

REFRESH_INTERVAL_S = 1.0
LIST_LIMIT_MAX = 1_000
IDS_PER_REQUEST = 100  # in an address
ALL_STATUSES = ("QUEUED", "RUNNING", "COMPLETED", "CANCELLED", "FAILED")

app = typer.Typer(help="List, show, follow, cancel and replay runs.", no_args_is_help=True)

RunIds = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids of runs.")]
Statuses = Annotated[
    list[str] | None,
    typer.Option("--status", "-s", help=f"One of {', '.join(ALL_STATUSES)}; repeat for several."),
]
Workflows = Annotated[
    list[str] | None, typer.Option("--workflow", "-w", help="Name of a workflow; repeat.")
]
Since = Annotated[
    str, typer.Option("--since", metavar="DURATION", help="Only runs that began so long ago.")
]
Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", "-m", metavar="KEY=VALUE", help="Only with this metadata; repeat."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_runs(
    status: Statuses = None,
    workflow: Workflows = None,
    since: Since = "24h",
    metadata: Metadata = None,
    limit: Annotated[int, typer.Option(min=1, max=LIST_LIMIT_MAX, help="Most rows.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: output.JsonOption = False,
) -> None:
    """List runs, newest first.

    Examples:

        hatchet runs list

        hatchet runs list --status FAILED --workflow greet --since 7d --json
    """
    from hatchet_cli.api import Api

    with Api() as api:
        query = {
            "since": _since(since),
            "statuses": _statuses(status),
            "workflow_ids": workflow_ids(api, workflow),
            "additional_metadata": _metadata_pairs(metadata),
            "only_tasks": "false",
            "limit": limit,
            "offset": offset,
        }
        rows = api.get(f"{api.stable_tenant}/workflow-runs", query)["rows"]
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        RUN_COLUMNS,
        [_row(row) for row in rows],
        empty=f"no runs within {since}",
    )


@app.command("get")
def get_run(
    run: Annotated[str, typer.Argument(help="Id of the run.")], as_json: output.JsonOption = False
) -> None:
    """Show one run: input, output, error and tasks.

    Example: hatchet runs get 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        details = api.get(f"/api/v1/stable/workflow-runs/{run}")
        waits = details["run"]["status"] == "QUEUED" and not as_json
        reason = first_reason(api, run) if waits else ""
    if as_json:
        output.print_json(details)
        return
    outcome = details["run"]
    output.print_fields(
        [
            ("run", outcome["metadata"]["id"]),
            ("name", outcome["displayName"]),
            ("status", outcome["status"]),
            ("waits", reason),
            ("began", output.ago(outcome.get("startedAt"))),
            ("took", output.duration(outcome.get("duration"))),
            ("metadata", outcome.get("additionalMetadata")),
            ("input", outcome.get("input")),
            ("output", outcome.get("output")),
            ("error", failures.full(outcome.get("errorMessage"))),
        ]
    )
    tasks = details.get("tasks") or []
    if len(tasks) > 1:
        names, parents = _graph(details)
        output.print_table(
            ["task", "name", "after", "status", "attempt", "took", "error"],
            [
                [
                    task["taskExternalId"],
                    names.get(task["taskExternalId"]) or task["displayName"],
                    ", ".join(parents.get(task["taskExternalId"], [])),
                    "SKIPPED" if task.get("isSkipped") else task["status"],
                    task.get("attempt"),
                    output.duration(task.get("duration")),
                    failures.brief(task.get("errorMessage")),
                ]
                for task in tasks
            ],
            empty="",
        )


def _graph(details: dict[str, Any]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Names of a run's tasks, and the names of those that each comes after, by task id."""
    shape = details.get("shape") or []
    names = {step["taskExternalId"]: step["taskName"] for step in shape}
    task_ids = {step["stepId"]: step["taskExternalId"] for step in shape}
    parents: dict[str, list[str]] = {}
    for step in shape:
        for child in step["childrenStepIds"]:
            parents.setdefault(task_ids.get(child, ""), []).append(step["taskName"])
    return names, parents


@app.command("watch")
def watch(
    run: Annotated[str | None, typer.Argument(help="Id of a run; without it, the latest.")] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Give up after so long.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Follow one run to its end, or the latest runs until Ctrl-C.

    Examples:

        hatchet runs watch

        hatchet runs watch 019a7c5e-… --timeout 10m
    """
    from hatchet_cli.api import Api

    timeout_s = None if timeout is None else read_duration("--timeout", timeout).total_seconds()
    with Api() as api:
        if run is None:
            _watch_latest(api, timeout_s, as_json=as_json)
            return
        outcome = wait_for_end(api, run, timeout_s)["run"]
    if as_json:
        output.print_json(outcome)
    else:
        took = output.duration(outcome.get("duration"))
        output.print_plain(f"{run} {outcome['status']} {took}".rstrip())
    if outcome["status"] != "COMPLETED":
        raise output.CommandError(
            failures.brief(outcome.get("errorMessage")) or f"the run ended {outcome['status']}",
            hint=f"hatchet runs get {run}",
        )


@app.command("cancel")
def cancel(
    run: RunIds = None,
    status: Statuses = None,
    workflow: Workflows = None,
    since: Since = "24h",
    metadata: Metadata = None,
    children: Annotated[
        bool, typer.Option("--children", help="Also the runs that they have spawned, and theirs.")
    ] = False,
    yes: Yes = False,
    as_json: output.JsonOption = False,
) -> None:
    """Cancel runs, by id or all that match.

    Examples:

        hatchet runs cancel 019a7c5e-… --children

        hatchet runs cancel --workflow greet --status QUEUED --since 1h
    """
    more = {"includeChildren": True} if children else {}
    _act("cancel", run, status, workflow, since, metadata, yes=yes, as_json=as_json, more=more)


@app.command("replay")
def replay(
    run: RunIds = None,
    status: Statuses = None,
    workflow: Workflows = None,
    since: Since = "24h",
    metadata: Metadata = None,
    yes: Yes = False,
    as_json: output.JsonOption = False,
) -> None:
    """Run ended runs again with the same input, by id or all that match.

    Examples:

        hatchet runs replay 019a7c5e-…

        hatchet runs replay --workflow greet --status FAILED --since 7d
    """
    _act("replay", run, status, workflow, since, metadata, yes=yes, as_json=as_json)


@app.command("rerun")
def rerun(
    run: Annotated[str, typer.Argument(help="Id of the run.")],
    input_text: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="JSON",
            help="Another input: a JSON object; @FILE reads a file, - reads stdin.",
        ),
    ] = None,
    metadata: NewMetadata = None,
    priority: NewPriority = None,
    as_json: output.JsonOption = False,
) -> None:
    """Start a new run of the same workflow, with the input of a run or another one.

    Examples:

        hatchet runs rerun 019a7c5e-… --input '{"name": "Bob"}'
    """
    from hatchet_cli.api import Api

    body: dict[str, Any] = {}
    if input_text is not None:
        body["input"] = read_input(input_text)
    if metadata:
        body["additionalMetadata"] = read_metadata(metadata)
    if priority is not None:
        body["priority"] = priority
    with Api() as api:
        answer = api.post(f"{api.stable_tenant}/workflow-runs/{run}/rerun", body)
    run_id = str(answer["run"]["metadata"]["id"])
    if as_json:
        output.print_json({"id": run_id})
    else:
        output.print_plain(run_id)


def _act(
    verb: str,
    runs: list[str] | None,
    status: list[str] | None,
    workflow: list[str] | None,
    since: str,
    metadata: list[str] | None,
    *,
    yes: bool,
    as_json: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """``more``: further fields of the request."""
    from hatchet_cli.api import Api

    if not runs and not (status or workflow or metadata):
        raise output.CommandError(
            f"say what to {verb}: ids of runs, or --workflow, --status, --metadata",
            hint=f"hatchet runs {verb} --help",
            code=output.EXIT_USAGE,
        )
    if runs and (status or workflow or metadata):
        raise output.CommandError(
            "give either ids of runs or --workflow, --status, --metadata, not both",
            code=output.EXIT_USAGE,
        )
    with Api() as api:
        _check_known(api, runs or [])
        body: dict[str, Any] = {"externalIds": runs}
        if not runs:
            chosen = {
                "since": _since(since),
                "statuses": _statuses(status),
                "workflowIds": workflow_ids(api, workflow),
                "additionalMetadata": _metadata_pairs(metadata),
            }
            body = {"filter": {key: value for key, value in chosen.items() if value is not None}}
            if not yes:
                typer.confirm(
                    f"{verb} all matching runs of the last {since}?", abort=True, err=True
                )
        answer = api.post(f"{api.stable_tenant}/tasks/{verb}", {**body, **(more or {})})
    ids = (answer or {}).get("ids") or []
    operation = (answer or {}).get("bulkOperation")
    if as_json:
        output.print_json({"ids": ids, "bulkOperation": operation} if operation else {"ids": ids})
        return
    if operation:
        output.note(
            f"{operation['total']} runs asked to {verb}, in steps: operation {operation['id']}"
        )
        return
    for run_id in ids:
        output.print_plain(run_id)
    what = "run" if verb == "cancel" else "task"  # replays are answered with tasks
    output.note(f"{len(ids)} {what if len(ids) == 1 else what + 's'} asked to {verb}")


def _check_known(api: Any, runs: list[str]) -> None:
    """The API takes ids of what it does not know for ended runs; here they are mistakes."""
    for start in range(0, len(runs), IDS_PER_REQUEST):
        asked = runs[start : start + IDS_PER_REQUEST]
        path = f"{api.stable_tenant}/workflow-runs/display-names"
        found = api.get(path, {"external_ids": asked}).get("rows") or []
        known = {row["metadata"]["id"] for row in found}
        unknown = [run for run in asked if run.lower() not in known]
        if unknown:
            raise output.CommandError(
                f"there is no run {', '.join(unknown)}", hint="hatchet runs list"
            )


def _watch_latest(api: Any, timeout_s: float | None, *, as_json: bool) -> None:
    """Show the latest runs every second; as JSON, print each change of a run once."""
    began = time.monotonic()
    path = f"{api.stable_tenant}/workflow-runs"
    shown: dict[str, str] = {}
    with Live(console=Console(), auto_refresh=False, screen=False) as live:
        while timeout_s is None or time.monotonic() - began < timeout_s:
            query = {"since": _since("24h"), "only_tasks": "false", "limit": 20}
            rows = api.get(path, query)["rows"]
            if as_json:
                for row in reversed(rows):
                    key, status = row["metadata"]["id"], row["status"]
                    if shown.get(key) != status:
                        output.print_json_line(row)
                shown = {row["metadata"]["id"]: row["status"] for row in rows}
            else:
                live.update(_live_table(rows), refresh=True)
            time.sleep(REFRESH_INTERVAL_S)  # a list is shown anew; nobody tells of its changes


def _live_table(rows: list[dict[str, Any]]) -> Table:
    return output.make_table(RUN_COLUMNS, [_row(row) for row in rows])


def _row(row: dict[str, Any]) -> list[object]:
    return [
        row["metadata"]["id"],
        row.get("workflowName") or row["displayName"],
        row["status"],
        output.ago(row.get("startedAt") or row.get("createdAt")),
        output.duration(row.get("duration")) if row["status"] in FINAL_STATUSES else "",
        failures.brief(row.get("errorMessage")),
    ]


def _since(text: str) -> str:
    moment = datetime.now(UTC) - read_duration("--since", text)
    return moment.isoformat().replace("+00:00", "Z")


def _statuses(statuses: list[str] | None) -> list[str] | None:
    if not statuses:
        return None
    chosen = [status.upper() for status in statuses]
    for status in chosen:
        if status not in ALL_STATUSES:
            raise output.CommandError(
                f"--status {status} does not exist: choose from {', '.join(ALL_STATUSES)}",
                code=output.EXIT_USAGE,
            )
    return chosen


def _metadata_pairs(pairs: list[str] | None) -> list[str] | None:
    from hatchet_cli.run import read_metadata

    if not pairs:
        return None
    return [f"{key}:{value}" for key, value in read_metadata(pairs).items()]
