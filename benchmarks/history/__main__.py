"""Reads over a long history: fills an embedded Postgres, asks, prints p50 and p95 of each question.

    python -m benchmarks.history                       # ten million runs of 14 days: 8 GB of disk
    python -m benchmarks.history --runs 200000 --days 2
    python -m benchmarks.history --data-dir DIR        # keeps what was filled for the next time
    python -m benchmarks.history --only "status counts"

Exit code 1 when a p95 is not below the bar.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.history.fill import History, fill
from benchmarks.history.questions import Question, Questions
from benchmarks.support.places import temporary_dir
from benchmarks.support.statistics import percentile
from hatchet_engine.app.embedded import EmbeddedPostgres
from hatchet_engine.observe.pool import open_read_pool
from hatchet_engine.store.migrate import migrate

BAR_MS = 200.0
NO_BAR = "*"  # at the end of a question's name
TIMES = 40
WARM = 3  # definitions are read and plans are made; not counted


def main() -> int:
    options = _arguments().parse_args()
    keep = options.data_dir
    with nullcontext(keep) if keep else temporary_dir("history") as place:
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        note = place / "history.json"
        known = History(**json.loads(note.read_text())) if note.exists() else None
        history, slow = asyncio.run(_run(place, known, options))
        note.write_text(json.dumps(asdict(history)))
    return int(slow > 0)


async def _run(
    place: Path, history: History | None, options: argparse.Namespace
) -> tuple[History, int]:
    postgres = EmbeddedPostgres(place / "data", durable=False)
    dsn = await postgres.start(supervise=False)
    try:
        history = history or await _filled(dsn, options.runs, options.days)
        async with await open_read_pool(dsn, connections_max=2) as pool:
            questions = Questions(pool, history).all
            chosen = {
                name: question
                for name, question in questions.items()
                if not options.only or any(part in name for part in options.only)
            }
            return history, await _measure(chosen, options.times)
    finally:
        await postgres.stop()


async def _filled(dsn: str, runs: int, days: int) -> History:
    await migrate(dsn)
    began = time.time()
    history = await fill(dsn, runs=runs, days=days, end_ms=int(began * 1_000))
    print(f"filled with {runs:,} runs in {time.time() - began:.0f} s", flush=True)
    return history


async def _measure(questions: dict[str, Question], times: int) -> int:
    """How many questions miss the bar."""
    table = Table("question", "p50 ms", "p95 ms", "max ms", box=None)
    slow = 0
    for name, question in questions.items():
        taken = []
        for _ in range(WARM + times):
            began = time.perf_counter()
            await question()
            taken.append((time.perf_counter() - began) * 1_000)
        taken = taken[WARM:]
        p50, p95 = percentile(taken, 50), percentile(taken, 95)
        missed = p95 >= BAR_MS and not name.endswith(NO_BAR)
        slow += missed
        mark = "[red]" if missed else ""
        table.add_row(name, f"{p50:.1f}", f"{mark}{p95:.1f}", f"{max(taken):.1f}")
    Console(width=100 if not sys.stdout.isatty() else None).print(table)
    return slow


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.history",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--times", type=int, default=TIMES, help="how often each question is asked")
    parser.add_argument(
        "--data-dir", type=Path, help="kept, and not filled again; default: removed"
    )
    parser.add_argument("--only", action="append", help="questions whose name holds this text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
