"""`hatchet scheduled`: run workflows once, at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hatchet_cli import output
from hatchet_cli.durations import read_duration
from hatchet_cli.run import read_input, read_metadata
from hatchet_cli.workflows import PAGE_ROWS, workflow_ids

STATUSES = ("SCHEDULED", "QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")

app = typer.Typer(help="List, make and move scheduled runs.", no_args_is_help=True)

ScheduledId = Annotated[str, typer.Argument(metavar="SCHEDULED", help="Its id.")]
When = Annotated[str, typer.Argument(help="A time such as 2026-05-01T08:00:00Z, or +15m from now.")]


def _path(api: Any, id: str | None = None) -> str:
    base = f"{api.tenant}/workflows/scheduled"
    return base if id is None else f"{base}/{id}"


@app.command("list")
def list_scheduled(
    workflow: Annotated[str | None, typer.Option("--workflow", "-w", help="Its name.")] = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", "-s", help=f"One of {', '.join(STATUSES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ROWS, help="Most rows.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: output.JsonOption = False,
) -> None:
    """List scheduled runs, the latest time first, also those that have fired.

    Example: hatchet scheduled list --status SCHEDULED
    """
    from hatchet_cli.api import Api

    with Api() as api:
        ids = workflow_ids(api, [workflow] if workflow else None)
        query = {
            "workflowId": ids[0] if ids else None,
            "statuses": [one.upper() for one in status or ()] or None,
            "limit": limit,
            "offset": offset,
        }
        rows = api.get(_path(api), query).get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["workflow", "at", "status", "run", "id", "error"],
        [
            [
                row["workflowName"],
                row["triggerAt"],
                row.get("workflowRunStatus") or "SCHEDULED",
                row.get("workflowRunId"),
                row["metadata"]["id"],
                row.get("error"),
            ]
            for row in rows
        ],
        empty="nothing is scheduled",
    )


@app.command("create")
def create_scheduled(
    workflow: Annotated[str, typer.Argument(help="Name of the workflow.")],
    when: When,
    input: Annotated[
        str, typer.Option("--input", "-i", help="JSON object, @FILE or - for standard input.")
    ] = "{}",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", metavar="KEY=VALUE", help="Repeat.")
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=1, max=3, help="Default: the workflow's.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Run a workflow at a time; prints the id of what is scheduled.

    Examples:

        hatchet scheduled create report 2026-05-01T08:00:00+02:00

        hatchet scheduled create remind +15m --input '{"to": "Ada"}'
    """
    from hatchet_cli.api import Api

    body: dict[str, Any] = {
        "triggerAt": read_moment(when),
        "input": read_input(input),
        "additionalMetadata": read_metadata(metadata or []),
    }
    if priority is not None:
        body["priority"] = priority
    with Api() as api:
        made = api.post(f"{api.tenant}/workflows/{quote(workflow, safe='')}/scheduled", body)
    if as_json:
        output.print_json(made)
    else:
        output.print_plain(made["metadata"]["id"])


@app.command("move")
def move_scheduled(scheduled: ScheduledId, when: When) -> None:
    """Give a scheduled run another time. Not one that `workflow.schedule` has made.

    Example: hatchet scheduled move 019a7c5e-… +1h
    """
    from hatchet_cli.api import Api

    with Api() as api:
        moved = api.patch(_path(api, scheduled), {"triggerAt": read_moment(when)})
    output.note(f"scheduled run {scheduled} is due at {moved['triggerAt']}")


@app.command("delete")
def delete_scheduled(scheduled: ScheduledId) -> None:
    """Remove a scheduled run. Not one that `workflow.schedule` has made.

    Example: hatchet scheduled delete 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        api.delete(_path(api, scheduled))
    output.note(f"scheduled run {scheduled} is deleted")


@app.command("run-now")
def run_now(scheduled: ScheduledId) -> None:
    """Run it now instead of at its time; prints the id of the run.

    Example: hatchet scheduled run-now 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        output.print_plain(api.post(_path(api, scheduled), {})["externalId"])


def read_moment(text: str) -> str:
    """A time as the API takes it; raises `CommandError` for what is none."""
    try:
        later = read_duration("WHEN", text[1:]) if text.startswith("+") else None
        at = datetime.fromisoformat(text) if later is None else datetime.now(UTC) + later
        # A time without zone is one of this machine.
        return at.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise output.CommandError(
            f"WHEN: {text!r} is no time",
            hint="2026-05-01T08:00:00Z, or +15m",
            code=output.EXIT_USAGE,
        ) from None
