"""`hatchet why`: what keeps a run from going on, and what would let it go."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hatchet_cli import output


def why(
    run: Annotated[str, typer.Argument(help="Id of a run, of a task or of a scheduled run.")],
    as_json: output.JsonOption = False,
) -> None:
    """Say why a run waits: what blocks it, its place in the line, what to change.

    Example: hatchet why 019a7c5e-…
    """
    from hatchet_cli.api import Api

    with Api() as api:
        answer = ask(api, run)
    if as_json:
        output.print_json(answer)
        return
    place = answer.get("place")
    output.print_fields(
        [
            ("run", answer["run"]),
            ("task", answer.get("task") if answer.get("task") != answer["run"] else None),
            ("state", answer["state"]),
            ("since", output.ago(answer.get("since"))),
            ("place", place and place_text(place)),
            ("", None if answer["blockers"] else answer["message"]),
            *((_name(one), _text(one)) for one in answer["blockers"]),
            ("do", answer.get("remedy")),
            ("times out", answer.get("timesOutAt")),
            ("more tasks", answer.get("tasksLeftOut") or None),
            ("note", answer.get("partial")),
        ]
    )


def ask(api: Any, run: str) -> Any:
    """The answer of the API."""
    return api.get(f"/api/v1/stable/tasks/{run}/why")


def first_reason(api: Any, run: str) -> str:
    """The first thing that a run waits for; "" from a server that can't tell."""
    try:
        blockers = ask(api, run)["blockers"]
    except output.CommandError:
        return ""
    return str(blockers[0]["message"]) if blockers else ""


def place_text(place: dict[str, Any]) -> str:
    """
    >>> place_text({"of": "its line", "position": 3, "more": False})
    'number 3 in its line'
    """
    behind = f"behind more than {place['position']:,}" if place["more"] else ""
    return f"{behind or 'number {:,}'.format(place['position'])} in {place['of']}"


def _name(blocker: dict[str, Any]) -> str:
    return " ".join(filter(None, (blocker.get("taskName"), blocker["kind"])))


def _text(blocker: dict[str, Any]) -> str:
    """The message, then who holds what it waits for, a line each."""
    lines = [blocker["message"]]
    if blocker["kind"] == "WORKERS_FULL":
        for worker in blocker.get("workers") or []:
            lines += [
                f"{worker['name']}: {task['name']} {task['task']}, {output.ago(task['since'])}"
                for task in worker["tasks"]
            ]
    for holder in blocker.get("holders") or []:
        since = output.ago(holder.get("since"))
        lines.append(", ".join(filter(None, (f"{holder['workflow']} {holder['id']}", since))))
    return "\n".join(lines)
