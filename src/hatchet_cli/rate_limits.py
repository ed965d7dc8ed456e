"""`hatchet rate-limits`: budgets of units per time, and what is left of them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from hatchet_cli import output
from hatchet_cli.durations import read_duration

PAGE_ROWS = 200

app = typer.Typer(help="List, put, pause and delete rate limits.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="Key of the limit, as tasks name it.")]


class Window(StrEnum):
    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


@app.command("list")
def list_rate_limits(
    search: Annotated[str | None, typer.Option(help="Only keys that contain this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ROWS, help="Most rows.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: output.JsonOption = False,
) -> None:
    """List rate limits with the units that are left now.

    Examples:

        hatchet rate-limits list

        hatchet rate-limits list --search mail --json
    """
    from hatchet_cli.api import Api

    with Api() as api:
        query = {"search": search, "limit": limit, "offset": offset}
        rows = api.get(f"{api.tenant}/rate-limits", query).get("rows") or []
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["key", "left", "limit", "per", "paused until"],
        [
            [
                row["key"],
                row["value"],
                row["limitValue"],
                row["window"].removeprefix("1 ").lower(),
                row.get("pausedUntil"),
            ]
            for row in rows
        ],
        empty="no rate limits",
    )


@app.command("put")
def put(
    key: Key,
    limit: Annotated[int, typer.Argument(min=0, help="Units per window.")],
    window: Annotated[
        Window, typer.Option("--per", case_sensitive=False, help="The window.")
    ] = Window.SECOND,
) -> None:
    """Make or change a limit. Units that are left never become more by a change.

    Examples:

        hatchet rate-limits put mail-api 10 --per minute
    """
    from hatchet_cli.api import Api

    with Api() as api:
        body = {"key": key, "limit": limit, "window": window.value}
        api.put(f"{api.stable_tenant}/rate-limits", body)
    output.note(f"{key}: {limit} per {window.value.lower()}")


@app.command("pause")
def pause(
    key: Key,
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long.")],
    as_json: output.JsonOption = False,
) -> None:
    """Give out no units for a while. A longer pause that is on stays.

    Examples:

        hatchet rate-limits pause mail-api --for 90s
    """
    from hatchet_cli.api import Api

    until = datetime.now(UTC) + read_duration("--for", duration)
    with Api() as api:
        body = {"key": key, "until": until.isoformat().replace("+00:00", "Z")}
        paused = api.post(f"{api.stable_tenant}/rate-limits/pause", body)
    if as_json:
        output.print_json(paused)
    else:
        output.note(f"{key} is paused until {paused['pausedUntil']}")


@app.command("delete")
def delete(key: Key) -> None:
    """Forget a limit. Tasks that ask for it wait until it is put again.

    Examples:

        hatchet rate-limits delete mail-api
    """
    from hatchet_cli.api import Api

    with Api() as api:
        api.delete(f"{api.tenant}/rate-limits", {"key": key})
    output.note(f"{key} is deleted")
