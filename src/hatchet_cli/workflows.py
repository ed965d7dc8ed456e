"""`hatchet workflows`: what is registered."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hatchet_cli import output

PAGE_ROWS = 200

app = typer.Typer(help="List registered workflows and tasks.", no_args_is_help=True)


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
        ["name", "description", "registered", "id"],
        [
            [
                row["name"],
                row.get("description"),
                output.ago(row["metadata"].get("createdAt")),
                row["metadata"]["id"],
            ]
            for row in rows
        ],
        empty="no workflows yet: start a worker",
    )


def workflow_ids(api: Any, names: list[str] | None) -> list[str] | None:
    """Ids of the workflows with exactly these names; raises `CommandError` for an unknown one."""
    if not names:
        return None
    ids = []
    for name in names:
        rows = api.get(f"{api.tenant}/workflows", {"name": name, "limit": PAGE_ROWS}).get("rows")
        matching = [row["metadata"]["id"] for row in rows or [] if row["name"] == name]
        if not matching:
            raise output.CommandError(
                f"--workflow: there is no workflow {name!r}", hint="hatchet workflows list"
            )
        ids += matching
    return ids
