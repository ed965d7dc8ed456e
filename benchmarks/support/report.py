"""Prints results as tables, and writes them as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from benchmarks.support.rows import OURS, CpuSplit, Outcome, Row, Standing, number, own_standing

VERDICTS = {"pass": "[green]pass[/]", "miss": "[bold red]miss[/]", "none": ""}
# Services of peers stand where our engine or Postgres stands.
CPU_COLUMNS = ("engine", "Postgres", "Redis", "worker", "client")
RESULT_FORMAT = 1


def print_report(console: Console, machine: Mapping[str, Any], found: dict[str, Outcome]) -> None:
    """All rows with their bars, then the CPU time per task."""
    facts = "{cores} cores, {memory_gb} GB, kernel {kernel}, Python {python}, Postgres {postgres}"
    console.print(f"\n[dim]{escape(facts.format(**machine))}[/]")
    table = Table("what", _right("figure"), _right("bar"), _right("ratio"), "", "note")
    for outcome in found.values():
        table.add_section()
        for row in outcome.rows:
            table.add_row(*_cells(row))
    console.print(table)
    splits = [split for outcome in found.values() for split in outcome.splits]
    if splits:
        console.print(_cpu_table(splits))
    if any(standing.system != OURS for o in found.values() for standing in o.standings):
        console.print(_peer_table(found))


def write_json(file: Path, machine: Mapping[str, Any], found: dict[str, Outcome]) -> None:
    """One object: format, machine, and each scenario's rows, CPU and details."""
    content = {
        "format": RESULT_FORMAT,
        "machine": dict(machine),
        "scenarios": {name: outcome.as_json() for name, outcome in found.items()},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _right(title: str) -> Column:
    """A column of figures."""
    return Column(title, justify="right", no_wrap=True)


def _cells(row: Row) -> tuple[str, ...]:
    bar = row.bar.text("") if row.bar else ""
    if row.value is None:
        return (escape(row.what), "–", bar, "", "", f"[yellow]{escape(row.note)}[/]")
    ratio = f"{row.bar.ratio(row.value):.2f}×" if row.bar else ""
    figure = f"{number(row.value)} {row.unit}"
    return (escape(row.what), figure, bar, ratio, VERDICTS[row.verdict], escape(row.note))


def _cpu_table(splits: list[CpuSplit]) -> Table:
    used = [name for name in CPU_COLUMNS if any(name in split.cpu_s for split in splits)]
    table = Table(
        "CPU µs per task",
        *(_right(name) for name in used),
        _right("all"),
        _right("cores busy"),
    )
    for split in splits:
        figures = [
            f"{split.us_per_task(name):,.0f}" if name in split.cpu_s else "" for name in used
        ]
        whole_s = sum(split.cpu_s.values())
        table.add_row(
            escape(split.what),
            *figures,
            f"{whole_s / split.tasks * 1e6:,.0f}",
            f"{whole_s / split.took_s:.2f}",
        )
    return table


def _peer_table(found: Mapping[str, Outcome]) -> Table:
    """Peers below ourselves; "ours is" says how many times faster we are."""
    ours = own_standing(found.values())
    peers = [s for outcome in found.values() for s in outcome.standings if s.system != OURS]
    table = Table(
        "beside peers",
        _right("tasks/s"),
        _right("ours is"),
        _right("p50 ms"),
        _right("ours is"),
        _right("p99 ms"),
        "note",
    )
    for one in (ours, *peers):
        table.add_row(*_standing_cells(one, ours))
    return table


def _standing_cells(one: Standing, ours: Standing) -> tuple[str, ...]:
    return (
        escape(one.system),
        _shown(one.tasks_per_s),
        _times(ours.tasks_per_s, one.tasks_per_s) if one is not ours else "",
        _shown(one.p50_ms),
        _times(one.p50_ms, ours.p50_ms) if one is not ours else "",
        _shown(one.p99_ms),
        escape(one.note),
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else number(value)


def _times(better: float | None, worse: float | None) -> str:
    return f"{better / worse:.1f}×" if better and worse else ""
