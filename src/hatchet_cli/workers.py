"""`hatchet workers`: who is connected."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hatchet_cli import output

app = typer.Typer(help="List workers.", no_args_is_help=True)


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


def _slots(row: dict[str, Any]) -> str:
    """`default 97/100, durable 10/10`."""
    parts = []
    for kind, slots in sorted((row.get("slotConfig") or {}).items()):
        free = slots.get("available")
        parts.append(f"{kind} {'?' if free is None else free}/{slots.get('limit')}")
    return ", ".join(parts)
