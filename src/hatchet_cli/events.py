"""`hatchet events`: push events, and see what they started."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hatchet_cli import output
from hatchet_cli.durations import read_duration
from hatchet_cli.run import NewMetadata, read_input, read_metadata

LIST_LIMIT_MAX = 1_000

app = typer.Typer(help="Push events, list them.", no_args_is_help=True)


@app.command("push")
def push(
    key: Annotated[str, typer.Argument(help="Key of the event, such as order:created.")],
    payload: Annotated[
        str,
        typer.Option(
            "--payload",
            "-p",
            metavar="JSON",
            help="A JSON object; @FILE reads a file, - reads stdin.",
        ),
    ] = "{}",
    metadata: NewMetadata = None,
    scope: Annotated[
        str | None, typer.Option(help="Which filters and scoped waits see it.")
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=1, max=3, help="Of the runs it starts: 1 to 3 (high).")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Push an event; print the ids of the runs that it has started.

    Examples:

        hatchet events push order:created --payload '{"id": 7}'

        hatchet events push order:created -p @order.json --scope shop-1 -m team=blue
    """
    from hatchet_cli.api import Api

    body: dict[str, Any] = {
        "key": key,
        "data": read_input(payload, "--payload"),
        "additionalMetadata": read_metadata(metadata or []),
    }
    body |= {} if scope is None else {"scope": scope}
    body |= {} if priority is None else {"priority": priority}
    with Api() as api:
        event = api.post(f"{api.stable_tenant}/events", body)
    if as_json:
        output.print_json(event)
        return
    runs = [run["workflowRunId"] for run in event.get("triggeredRuns") or []]
    for run in runs:
        output.print_plain(run)
    count = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}"
    output.note(f"event {event['metadata']['id']} started {count}")


@app.command("list")
def list_events(
    key: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="Only with this key; repeat.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="Only with this scope; repeat.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="Only those pushed so long ago.")
    ] = "24h",
    limit: Annotated[int, typer.Option(min=1, max=LIST_LIMIT_MAX, help="Most rows.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: output.JsonOption = False,
) -> None:
    """List events with the number of runs that each has started, newest first.

    Examples:

        hatchet events list

        hatchet events list --key order:created --since 7d --json
    """
    from hatchet_cli.api import Api

    moment = datetime.now(UTC) - read_duration("--since", since)
    query = {
        "keys": key,
        "scopes": scope,
        "since": moment.isoformat().replace("+00:00", "Z"),
        "limit": limit,
        "offset": offset,
    }
    with Api() as api:
        rows = api.get(f"{api.stable_tenant}/events", query).get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["event", "key", "scope", "pushed", "runs", "payload"],
        [
            [
                row["metadata"]["id"],
                row["key"],
                row.get("scope"),
                output.ago(row.get("seenAt")),
                sum((row.get("workflowRunSummary") or {}).values()),
                row.get("payload"),
            ]
            for row in rows
        ],
        empty=f"no events within {since}",
    )
