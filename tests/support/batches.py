"""Workers of batches, and what they report."""

from __future__ import annotations

from hatchet_engine.domain.definition import (
    BatchConfig,
)
from hatchet_engine.turn.deliveries import AssignedBatch
from tests.support.engine import FakeWorker, Harness


async def put(h: Harness, name: str = "hello", **options: object) -> None:
    """A batch task; options of the batch by their names, all others are those of the task."""
    names = BatchConfig.__dataclass_fields__
    batch = {key: value for key, value in options.items() if key in names}
    task = {key: value for key, value in options.items() if key not in names}
    batch.setdefault("max_size", 3)
    batch.setdefault("interval_ms", 200)
    await h.put(name, batch=BatchConfig(**batch), **task)  # type: ignore[arg-type]


def sizes(worker: FakeWorker) -> list[int]:
    return [len(batch.members) for batch in worker.batches]


def ids(batch: AssignedBatch) -> list[object]:
    return [one.task_id for one in batch.members]
