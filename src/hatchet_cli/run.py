"""`hatchet run`: trigger a workflow, and wait for its result if asked."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hatchet_cli import failures, output
from hatchet_cli.durations import read_duration

FINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
# The first looks come quickly, because most tasks are short.
WATCH_INTERVAL_S_MIN = 0.05
WATCH_INTERVAL_S_MAX = 1.0
INTERVAL_GROWTH = 1.5

NewMetadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", "-m", metavar="KEY=VALUE", help="Additional metadata; repeat."),
]
NewPriority = Annotated[
    int | None, typer.Option(min=1, max=3, help="1 (low), 2 (medium) or 3 (high).")
]


def run(
    workflow: Annotated[str, typer.Argument(help="Name of the workflow or task.")],
    input_text: Annotated[
        str,
        typer.Option(
            "--input",
            "-i",
            metavar="JSON",
            help="A JSON object; @FILE reads a file, - reads stdin.",
        ),
    ] = "{}",
    metadata: NewMetadata = None,
    priority: NewPriority = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for the end and print the output.")
    ] = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="With --wait: give up after so long.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Trigger a run; print its id, or with --wait its output.

    The exit code with --wait is 0 only if the run completed.

    Examples:

        hatchet run greet --input '{"name": "Ada"}'

        hatchet run greet --input @input.json --wait

        hatchet run report --metadata team=blue --priority 3 --wait --timeout 5m
    """
    from hatchet_cli.api import Api

    body: dict[str, Any] = {
        "workflowName": workflow,
        "input": read_input(input_text),
        "additionalMetadata": read_metadata(metadata or []),
        "return_only_id": True,
    }
    if priority is not None:
        body["priority"] = priority
    timeout_s = None if timeout is None else read_duration("--timeout", timeout).total_seconds()
    with Api() as api:
        answer = api.post(f"{api.stable_tenant}/workflow-runs/trigger", body)
        run_id = str(answer["run"]["metadata"]["id"])
        if not wait:
            if as_json:
                output.print_json({"id": run_id})
            else:
                output.print_plain(run_id)
            return
        output.note(f"run {run_id}")
        details = wait_for_end(api, run_id, timeout_s)
    outcome = details["run"]
    if as_json:
        output.print_json(details)
    elif outcome["status"] == "COMPLETED":
        output.print_json(outcome.get("output"))
    if outcome["status"] != "COMPLETED":
        reason = failures.brief(outcome.get("errorMessage")) or "no reason given"
        raise output.CommandError(
            f"run {run_id} ended {outcome['status']}: {reason}", hint=f"hatchet runs get {run_id}"
        )


def wait_for_end(api: Any, run_id: str, timeout_s: float | None) -> Any:
    """Details of the run once it has ended; raises `CommandError` when `timeout_s` passes first."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    pause_s = WATCH_INTERVAL_S_MIN
    while api.get(f"/api/v1/stable/workflow-runs/{run_id}/status") not in FINAL_STATUSES:
        if deadline is not None and time.monotonic() + pause_s > deadline:
            raise output.CommandError(
                f"run {run_id} has not ended within {timeout_s:g} s; it goes on",
                hint=f"hatchet runs watch {run_id}",
            )
        time.sleep(pause_s)  # REST answers at once; longer and longer pauses spare the server
        pause_s = min(pause_s * INTERVAL_GROWTH, WATCH_INTERVAL_S_MAX)
    return api.get(f"/api/v1/stable/workflow-runs/{run_id}")


def read_input(text: str, option: str = "--input") -> dict[str, Any]:
    """The JSON object of an option, from the text itself, a file or standard input."""
    example = f'{option} \'{{"name": "Ada"}}\''
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise output.CommandError(f"{option}: cannot read {text[1:]}: {error}") from error
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise output.CommandError(f"{option} is not JSON: {error}", hint=example) from error
    if not isinstance(value, dict):
        raise output.CommandError(
            f"{option} must be a JSON object, not {type(value).__name__}", hint=example
        )
    return value


def read_metadata(pairs: list[str]) -> dict[str, str]:
    """The pairs given by --metadata."""
    metadata = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise output.CommandError(
                f"--metadata {pair!r} has no value", hint="--metadata team=blue"
            )
        metadata[key] = value
    return metadata
