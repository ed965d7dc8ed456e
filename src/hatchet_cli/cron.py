"""`hatchet cron`: start workflows by the clock."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hatchet_cli import output
from hatchet_cli.run import read_input, read_metadata
from hatchet_cli.workflows import PAGE_ROWS

PREVIEW_MAX = 1_000

app = typer.Typer(help="List, make and try out crons.", no_args_is_help=True)

CronId = Annotated[str, typer.Argument(metavar="CRON", help="Id of the cron.")]
Expression = Annotated[
    str, typer.Argument(help='Such as "*/5 * * * *"; options may stand before the fields.')
]
Zone = Annotated[str | None, typer.Option(help="IANA time zone; default: UTC.")]


def _path(api: Any, cron: str | None = None) -> str:
    base = f"{api.tenant}/workflows/crons"
    return base if cron is None else f"{base}/{cron}"


@app.command("list")
def list_crons(
    workflow: Annotated[str | None, typer.Option("--workflow", "-w", help="Its name.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the cron.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ROWS, help="Most rows.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: output.JsonOption = False,
) -> None:
    """List crons: those that workflows declare and those made by hand.

    Example: hatchet cron list --workflow report
    """
    from hatchet_cli.api import Api

    query = {"workflowName": workflow, "cronName": name, "limit": limit, "offset": offset}
    with Api() as api:
        rows = api.get(_path(api), query).get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["workflow", "name", "cron", "zone", "enabled", "next", "id", "error"],
        [
            [
                row["workflowName"],
                row.get("name") or "(declared)",
                row["cron"],
                row.get("zone"),
                "yes" if row["enabled"] else "no",
                row.get("nextRunAt"),
                row["metadata"]["id"],
                row.get("error"),
            ]
            for row in rows
        ],
        empty="no crons yet: declare on_crons, or use `hatchet cron create`",
    )


@app.command("create")
def create_cron(
    workflow: Annotated[str, typer.Argument(help="Name of the workflow.")],
    name: Annotated[str, typer.Argument(help="Name of the new cron.")],
    expression: Expression,
    input: Annotated[
        str, typer.Option("--input", "-i", help="JSON object, @FILE or - for standard input.")
    ] = "{}",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", metavar="KEY=VALUE", help="Repeat.")
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=1, max=3, help="Default: the workflow's.")
    ] = None,
    zone: Zone = None,
    as_json: output.JsonOption = False,
) -> None:
    """Make a cron; prints its id.

    Examples:

        hatchet cron create report mornings "0 7 * * MON-FRI" --zone Europe/Berlin

        hatchet cron create sync often "OVERLAP=SKIP JITTER=10s */5 * * * *"
    """
    from hatchet_cli.api import Api

    body: dict[str, Any] = {
        "cronName": name,
        "cronExpression": expression,
        "input": read_input(input),
        "additionalMetadata": read_metadata(metadata or []),
    }
    if priority is not None:
        body["priority"] = priority
    if zone is not None:
        body["zone"] = zone
    with Api() as api:
        made = api.post(f"{api.tenant}/workflows/{quote(workflow, safe='')}/crons", body)
    if as_json:
        output.print_json(made)
    else:
        output.print_plain(made["metadata"]["id"])


@app.command("delete")
def delete_cron(cron: CronId) -> None:
    """Remove a cron. A declared one comes back with the next changed version of its workflow.

    Example: hatchet cron delete 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        api.delete(_path(api, cron))
    output.note(f"cron {cron} is deleted")


@app.command("enable")
def enable_cron(cron: CronId) -> None:
    """Let a cron fire again. What it missed is not made good.

    Example: hatchet cron enable 019a7c5e-…
    """
    _set_enabled(cron, True)


@app.command("disable")
def disable_cron(cron: CronId) -> None:
    """Keep a cron from firing.

    Example: hatchet cron disable 019a7c5e-…
    """
    _set_enabled(cron, False)


def _set_enabled(cron: str, enabled: bool) -> None:
    from hatchet_cli.api import Api

    with Api() as api:
        api.patch(_path(api, cron), {"enabled": enabled})
    output.note(f"cron {cron} is {'enabled' if enabled else 'disabled'}")


@app.command("run-now")
def run_now(cron: CronId) -> None:
    """Run it now, even if it is disabled; prints the id of the run.

    Example: hatchet cron run-now 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        output.print_plain(api.post(_path(api, cron), {})["externalId"])


@app.command("preview")
def preview(
    expression: Expression,
    zone: Zone = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=PREVIEW_MAX, help="Times.")] = 5,
    as_json: output.JsonOption = False,
) -> None:
    """Show when an expression is due next; nothing is made.

    Example: hatchet cron preview "*/5 * * * *" --zone Europe/Berlin -n 5
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from hatchet_cli.api import Api

    query = {"expression": expression, "zone": zone, "count": count}
    with Api() as api:
        shown = api.get(_path(api, "preview"), query)
    if as_json:
        output.print_json(shown)
        return
    for tick in shown["ticks"]:
        moment = output.parse_time(tick)
        assert moment is not None
        with suppress(ZoneInfoNotFoundError):  # this machine may know fewer zones than the server
            moment = moment.astimezone(ZoneInfo(shown["zone"]))
        output.print_plain(moment.strftime("%a %Y-%m-%d %H:%M:%S %z"))
