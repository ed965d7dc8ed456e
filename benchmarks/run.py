"""Runs the scenarios, prints the tables and writes the JSON file: `make bench`.

Exit code 0 when everything could be measured, 1 when a scenario failed, and with --strict also
when a bar was missed.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks.support.machine import machine_facts
from benchmarks.support.peers import PeerMissingError
from benchmarks.support.places import RESULTS
from benchmarks.support.report import print_report, write_json
from benchmarks.support.rows import Outcome, Row
from benchmarks.support.scale import Scale

# In this order; each is a module of benchmarks.scenarios.
SCENARIOS = (
    "bulk_drain",
    "one_by_one",
    "idle_latency",
    "engine_cpu",
    "backlog",
    "idle_engine",
    "import_cost",
    "idle_worker",
    "dag_latency",
    "dag_drain",
    "fan_out",
    "event_runs",
    "event_waits",
    "concurrency_keys",
    "one_key",
    "rate_limits",
    "schedules_due",
    "schedules_exact",
    "schedules_idle",
    "batches",
    "routing",
    "celery",
    "procrastinate",
    "prefect",
)

# Columns when the output goes to a file or a pipe.
FILE_WIDTH = 130


def main() -> int:
    options = _arguments().parse_args()
    # A plain SIGTERM would leave servers and their data behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    machine = machine_facts()
    scale = Scale(options.quick)
    found: dict[str, Outcome] = {}
    failed = False
    for name in options.only or SCENARIOS:
        began = time.perf_counter()
        with console.status(f"{name} …"):
            found[name], ok = _measure(name, scale)
        failed |= not ok
        sign = "[green]✓[/]" if ok else "[red]✗[/]"
        console.print(f"{sign} {name} [dim]{time.perf_counter() - began:.1f} s[/]")
    print_report(console, machine, found)
    file = options.json or RESULTS / f"{_stamp(machine['date'])}{'-quick' * scale.quick}.json"
    write_json(file, {**machine, "quick": scale.quick}, found)
    console.print(f"written to {escape(str(file))}")
    missed = any(row.verdict == "miss" for outcome in found.values() for row in outcome.rows)
    return int(failed or (options.strict and missed))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        action="append",
        choices=SCENARIOS,
        metavar="NAME",
        help=f"run this scenario only; repeat for more. One of: {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--quick", action="store_true", help="less of everything: two minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a bar is missed")
    return parser


def _measure(name: str, scale: Scale) -> tuple[Outcome, bool]:
    """A scenario that fails gives a row that says why; the others go on."""
    scenario = importlib.import_module(f"benchmarks.scenarios.{name}")
    try:
        outcome: Outcome = scenario.run(scale)
    except PeerMissingError as error:
        return Outcome([Row(name, None, note=str(error))]), True
    except Exception as error:
        traceback.print_exception(error)
        text = f"{type(error).__name__}: {error}"
        return Outcome([Row(name, None, note=f"failed: {text}")], details={"error": text}), False
    return outcome, True


def _stamp(date: str) -> str:
    """`2026-01-31T10-20-30` of an ISO date in UTC."""
    return date.partition("+")[0].replace(":", "-")


if __name__ == "__main__":
    raise SystemExit(main())
