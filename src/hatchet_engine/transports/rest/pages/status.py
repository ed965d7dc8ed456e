"""The page at /: what this server is and how it is doing, until the dashboard takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from hatchet_engine.domain.states import Status
from hatchet_engine.transports.rest.engine_api import EngineStatus, WorkerStatus
from hatchet_engine.transports.rest.pages import layout
from hatchet_engine.transports.rest.versions import OFFICIAL_VERSION

REFRESH_S = 5
ROWS_SHOWN_MAX = 200  # of workers and of queues


def render(status: EngineStatus, run_counts: Mapping[Status, int] | None) -> str:
    """``run_counts``: None when they could not be read."""
    depths = sorted(status.queue_depths.items(), key=lambda entry: (-entry[1], entry[0]))
    parts = [
        f"<h1>Hatchet {escape(status.version)}</h1>",
        f'<p class="soft">{escape(status.database)}</p>',
        f'<p class="soft">Protocol {OFFICIAL_VERSION} · <a href="/api/docs">REST API</a></p>',
        "<h2>Runs of the last day</h2>",
        _runs(run_counts),
        f"<h2>Queues ({len(depths)})</h2>",
        layout.table(("Queue", "Waiting"), depths[:ROWS_SHOWN_MAX], "Nothing waits."),
        f"<h2>Workers ({len(status.workers)})</h2>",
        layout.table(
            ("Worker", "State", "Running", "Free slots"),
            [_worker(worker) for worker in status.workers[:ROWS_SHOWN_MAX]],
            "No worker is connected.",
        ),
        "<h2>Logs and streams</h2>",
        layout.table(
            ("Lane", "Waiting to be stored", "Dropped"),
            [(lane.name, lane.waiting, lane.dropped) for lane in status.lanes],
            "This node stores none.",
        ),
        "<h2>Shards</h2>",
        layout.table(
            ("Shard", "Owner", "Epoch"),
            [(str(shard.id), shard.owner or "nobody", shard.epoch) for shard in status.shards],
            "This node knows no shard.",
        ),
    ]
    return layout.page("Hatchet", "".join(parts), refresh_s=REFRESH_S)


def _runs(counts: Mapping[Status, int] | None) -> str:
    if counts is None:
        return '<p class="soft">The database does not answer.</p>'
    return layout.table(
        [status.name.capitalize() for status in Status],
        [[counts[status] for status in Status]],
        "",
    )


def _worker(worker: WorkerStatus) -> tuple[object, ...]:
    state = "disconnected"
    if worker.listening:
        state = "paused" if worker.paused else "active"
    slots = ", ".join(
        f"{kind} {worker.free.get(kind, 0)}/{limit}" for kind, limit in worker.slots.items()
    )
    return (worker.name, state, worker.running, slots)
