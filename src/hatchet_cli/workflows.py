"""`hatchet workflows`: what is registered, and what of it may run."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from hatchet_cli import output, pauses
from hatchet_cli.durations import read_duration

PAGE_ROWS = 200

app = typer.Typer(help="List, pause and resume workflows and tasks.", no_args_is_help=True)


@app.command("list")
def list_workflows(
    name: Annotated[str | None, typer.Option(help="Only names that contain this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ROWS, help="Most rows.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: output.JsonOption = False,
) -> None:
    """List workflows and standalone tasks. A worker registers them when it starts.

    Examples:

        hatchet workflows list

        hatchet workflows list --name report --json
    """
    from hatchet_cli.api import Api

    with Api() as api:
        query = {"name": name, "limit": limit, "offset": offset}
        rows = api.get(f"{api.tenant}/workflows", query).get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["name", "state", "description", "registered", "id"],
        [
            [
                row["name"],
                "PAUSED" if row.get("isPaused") else "",
                row.get("description"),
                output.ago(row["metadata"].get("createdAt")),
                row["metadata"]["id"],
            ]
            for row in rows
        ],
        empty="no workflows yet: start a worker",
    )


WorkflowName = Annotated[str, typer.Argument(help="Name of the workflow or task.")]


@app.command("pause")
def pause(
    workflow: WorkflowName,
    queue_ttl: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Cancel what waits longer; default: nothing."),
    ] = None,
    duration: pauses.For = None,
    reason: pauses.Reason = "",
    as_json: output.JsonOption = False,
) -> None:
    """Give no tasks of a workflow to workers; what runs goes on, new runs wait.

    Examples:

        hatchet workflows pause billing --reason "bank is down"

        hatchet workflows pause billing --for 2h --queue-ttl 30m
    """
    from hatchet_cli.api import Api

    with Api() as api:
        found = workflow_id(api, workflow)
        body: dict[str, Any] = {"kind": "WORKFLOW", "workflowId": found}
        if queue_ttl is not None:
            ttl = read_duration("--queue-ttl", queue_ttl)
            body["queueTTL"] = f"{ttl // timedelta(milliseconds=1)}ms"
        pauses.begin(api, body, duration, reason, as_json=as_json)


@app.command("resume")
def resume(workflow: WorkflowName) -> None:
    """Let a paused workflow run again; what waited goes back to its queue.

    Examples:

        hatchet workflows resume billing
    """
    from hatchet_cli.api import Api

    with Api() as api:
        found = workflow_id(api, workflow)
        pauses.end(api, "WORKFLOW", found)


def workflow_ids(api: Any, names: list[str] | None) -> list[str] | None:
    """Ids of the workflows with exactly these names; raises `CommandError` for an unknown one."""
    return [workflow_id(api, name, "--workflow") for name in names] if names else None


def workflow_id(api: Any, name: str, argument: str = "WORKFLOW") -> str:
    """Id of the workflow of exactly this name; raises `CommandError` for an unknown one."""
    rows = api.get(f"{api.tenant}/workflows", {"name": name, "limit": PAGE_ROWS}).get("rows")
    for row in rows or []:
        if row["name"] == name:
            return str(row["metadata"]["id"])
    raise output.CommandError(
        f"{argument}: there is no workflow {name!r}", hint="hatchet workflows list"
    )
