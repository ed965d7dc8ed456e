"""`hatchet pauses`: what is held back, by whom and why."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hatchet_cli import output
from hatchet_cli.durations import read_duration

app = typer.Typer(help="Hold back what waits, and let it go on.", no_args_is_help=True)

For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="End the pause by itself after so long."),
]
Reason = Annotated[str, typer.Option(help="Why; shown to whoever lists the pauses.")]


@app.command("list")
def list_pauses(as_json: output.JsonOption = False) -> None:
    """List everything that is paused.

    Examples:

        hatchet pauses list

        hatchet pauses list --json
    """
    from hatchet_cli.api import Api

    with Api() as api:
        rows = api.get(f"{api.stable_tenant}/pauses").get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["what", "since", "until", "by", "reason", "target"],
        [
            [
                what(row),
                output.ago(row["since"]),
                row.get("until"),
                row["by"],
                row["reason"],
                row["target"],
            ]
            for row in rows
        ],
        empty="nothing is paused",
    )


@app.command("all")
def pause_all(
    duration: For = None, reason: Reason = "", as_json: output.JsonOption = False
) -> None:
    """Give no tasks at all to workers; what runs goes on.

    Examples:

        hatchet pauses all --for 10m --reason deploy
    """
    from hatchet_cli.api import Api

    with Api() as api:
        begin(api, {"kind": "TENANT"}, duration, reason, as_json=as_json)


@app.command("key")
def pause_key(
    workflow: Annotated[str, typer.Argument(help="Workflow of the concurrency rule.")],
    key: Annotated[str, typer.Argument(help="The key, as the rule's expression gives it.")],
    task: Annotated[
        str | None, typer.Option(help="Task of the rule, if there are several.")
    ] = None,
    expression: Annotated[
        str | None, typer.Option(help="Expression of the rule, if there are several.")
    ] = None,
    duration: For = None,
    reason: Reason = "",
    as_json: output.JsonOption = False,
) -> None:
    """Let nobody new begin under one key of a concurrency rule, such as one customer.

    Examples:

        hatchet pauses key billing customer-7 --reason disputed
    """
    from hatchet_cli.api import Api
    from hatchet_cli.workflows import workflow_id

    with Api() as api:
        body = {
            "kind": "CONCURRENCY_KEY",
            "workflowId": workflow_id(api, workflow),
            "key": key,
        }
        if task is not None:
            body["taskName"] = task
        if expression is not None:
            body["expression"] = expression
        begin(api, body, duration, reason, as_json=as_json)


@app.command("end")
def end_pause(
    target: Annotated[
        str, typer.Argument(help="As `pauses list` shows it; nothing: the pause of all.")
    ] = "",
) -> None:
    """End a pause; what waited goes back to its queue.

    Examples:

        hatchet pauses end

        hatchet pauses end c12:customer-7
    """
    from hatchet_cli.api import Api

    with Api() as api:
        rows = api.get(f"{api.stable_tenant}/pauses").get("rows") or []
        found = [row for row in rows if row["target"] == target]
        if not found:
            raise output.CommandError(
                f"no pause has the target {target!r}", hint="hatchet pauses list"
            )
        end(api, found[0]["kind"], target)


def begin(
    api: Any, body: dict[str, Any], duration: str | None, reason: str, *, as_json: bool
) -> None:
    """Begin a pause and tell what is on now."""
    order = {**body, "by": getpass.getuser(), "reason": reason}
    if duration is not None:
        until = datetime.now(UTC) + read_duration("--for", duration)
        order["until"] = until.isoformat().replace("+00:00", "Z")
    row = api.post(f"{api.stable_tenant}/pauses", order)
    if as_json:
        output.print_json(row)
    else:
        output.note(f"{what(row)} is paused" + (f" until {row['until']}" if "until" in row else ""))


def end(api: Any, kind: str, target: str) -> None:
    api.delete(f"{api.stable_tenant}/pauses", {"kind": kind, "target": target})
    output.note("the pause has ended")


def what(row: dict[str, Any]) -> str:
    """What is paused, in words."""
    if row["kind"] == "TENANT":
        return "everything"
    if row["kind"] == "RATE_LIMIT":
        return f"rate limit {row['key']}"
    if row["kind"] == "WORKER":
        return f"worker {row.get('workerName') or row['workerId']}"
    if row["kind"] == "WORKFLOW":
        return f"workflow {row.get('workflowName') or row['workflowId']}"
    return f"key {row['key']} of {row.get('workflowName') or row.get('name') or row['target']}"
