"""`hatchet workers`: who is connected, and who gets work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hatchet_cli import output, pauses

app = typer.Typer(help="List, pause and resume workers.", no_args_is_help=True)

WorkerId = Annotated[str, typer.Argument(help="Id of the worker, as `workers list` shows it.")]


@app.command("list")
def list_workers(
    everyone: Annotated[
        bool, typer.Option("--all", "-a", help="Also those that have gone (of the last 24 hours).")
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """List workers with their state and free slots.

    Examples:

        hatchet workers list

        hatchet workers list --all --json
    """
    from hatchet_cli.api import Api

    query = {} if everyone else {"statuses": ["ACTIVE", "PAUSED"]}
    with Api() as api:
        rows = api.get(f"{api.tenant}/worker", query).get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["name", "status", "slots (free/all)", "actions", "heartbeat", "id"],
        [
            [
                row["name"],
                row.get("status"),
                _slots(row),
                len(row.get("actions") or []),
                output.ago(row.get("lastHeartbeatAt")),
                row["metadata"]["id"],
            ]
            for row in rows
        ],
        empty="no workers are connected" if not everyone else "no workers in the last 24 hours",
    )


@app.command("pause")
def pause(
    worker: WorkerId,
    duration: pauses.For = None,
    reason: pauses.Reason = "",
    as_json: output.JsonOption = False,
) -> None:
    """Give a worker nothing new; what it runs goes on.

    Examples:

        hatchet workers pause 019a7c5e-… --reason "disk is full"
    """
    from hatchet_cli.api import Api

    with Api() as api:
        body = {"kind": "WORKER", "workerId": worker}
        pauses.begin(api, body, duration, reason, as_json=as_json)


@app.command("resume")
def resume(worker: WorkerId) -> None:
    """Let a paused worker take tasks again.

    Examples:

        hatchet workers resume 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        pauses.end(api, "WORKER", worker)


def _slots(row: dict[str, Any]) -> str:
    """`default 97/100, durable 10/10`."""
    parts = []
    for kind, slots in sorted((row.get("slotConfig") or {}).items()):
        free = slots.get("available")
        parts.append(f"{kind} {'?' if free is None else free}/{slots.get('limit')}")
    return ", ".join(parts)
