"""`hatchet rate-limits`: budgets of units per time, and what is left of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from hatchet_cli import output, pauses

PAGE_ROWS = 200

app = typer.Typer(help="List, put, pause, resume and delete rate limits.", no_args_is_help=True)

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
        ["key", "left", "limit", "per", "paused"],
        [
            [
                row["key"],
                row["value"],
                row["limitValue"],
                row["window"].removeprefix("1 ").lower(),
                _paused(row),
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
    duration: pauses.For = None,
    reason: pauses.Reason = "",
    as_json: output.JsonOption = False,
) -> None:
    """Give out no units for now; tasks that run go on.

    Examples:

        hatchet rate-limits pause mail-api --for 90s --reason "429 from the provider"
    """
    from hatchet_cli.api import Api

    with Api() as api:
        body = {"kind": "RATE_LIMIT", "key": key}
        pauses.begin(api, body, duration, reason, as_json=as_json)


@app.command("resume")
def resume(key: Key) -> None:
    """End the pause of a limit; tasks that wait for it go on.

    Examples:

        hatchet rate-limits resume mail-api
    """
    from hatchet_cli.api import Api

    with Api() as api:
        pauses.end(api, "RATE_LIMIT", key)


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


def _paused(row: dict[str, Any]) -> str | None:
    """Until when, if it is paused."""
    if not row.get("isPaused"):
        return None
    return f"until {row['pausedUntil']}" if "pausedUntil" in row else "until resumed"
