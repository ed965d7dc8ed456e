"""An idle engine with 20 connected workers: statements sent to Postgres, and CPU.

Postgres writes down every statement for a while, and we count them: exact, and autovacuum does
not count. The workers share one process; each has its own connection, as the engine sees it.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from benchmarks.support.cpu import CpuMeter
from benchmarks.support.rows import Outcome, Row, below
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import ready_worker
from benchmarks.support.server import Server, running_server

WORKERS = 20
SETTLE_S = 3.0
STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)")
STATEMENTS_BAR_PER_S = below(0.5)
CPU_BAR_PERCENT = below(1)


def run(scale: Scale) -> Outcome:
    window_s = scale.pick(30.0, 8.0)
    with running_server() as server, ready_worker(server, f"--workers={WORKERS}", slots=10) as w:
        log_statements(server)
        time.sleep(SETTLE_S)
        before = len(statements(server))
        meter = CpuMeter({**server.cpu_groups(), "workers": w.cpu_s})
        with meter:
            time.sleep(window_s)
        found = statements(server)[before:]
    percent = {name: 100 * spent / meter.took_s for name, spent in meter.cpu_s.items()}
    title = f"idle engine, {WORKERS} workers"
    return Outcome(
        rows=[
            Row(
                f"{title}: statements",
                len(found) / meter.took_s,
                "per s",
                STATEMENTS_BAR_PER_S,
                f"{len(found)} in {meter.took_s:.0f} s",
            ),
            Row(
                f"{title}: engine CPU",
                percent["engine"],
                "%",
                CPU_BAR_PERCENT,
                f"Postgres {percent['Postgres']:.1f} %, workers {percent['workers']:.1f} %",
            ),
        ],
        details={"statements": found, "cpu_percent": percent},
    )


def log_statements(server: Server) -> None:
    """Have Postgres write down every statement from now on."""
    server.fetch("ALTER SYSTEM SET log_statement = 'all'")
    server.fetch("SELECT pg_reload_conf()")


def statements(server: Server) -> list[str]:
    """The first lines of all statements that Postgres has written down so far."""
    logs: list[Path] = sorted((server.data_dir / "postgres" / "log").glob("*.log"))
    text = "".join(log.read_text(errors="replace") for log in logs)
    return STATEMENT.findall(text)
