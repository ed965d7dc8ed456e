"""A context without a worker, for `mock_run`."""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hatchet._core.codec import write_by_own_type, write_metadata
from hatchet._core.session import Assigned, AssignedBatch, LabelValue
from hatchet.context.context import Context, DurableContext
from hatchet.runnables.started import text
from hatchet.runnables.types import BatchMemberId

if TYPE_CHECKING:
    from hatchet._run.reply import Reply
    from hatchet.runnables.task import Task


class MockPort:
    """Takes what a task asks of its worker, and does nothing with it."""

    def __init__(self, lifespan: Any) -> None:
        self.worker_id = text(os.urandom(16))
        self.lifespan = lifespan
        self.loop: asyncio.AbstractEventLoop | None = None
        self._labels: dict[str, LabelValue] = {}

    def labels(self) -> dict[str, LabelValue]:
        return dict(self._labels)

    def upsert_labels(self, labels: Mapping[str, LabelValue]) -> None:
        self._labels.update(labels)

    def log(self, task_id: bytes, attempt: int, level: str, message: str, at_ms: int = 0) -> None:
        pass

    def chunk_room(self, size: int) -> bool:
        return True

    async def aio_chunk_room(self, size: int) -> bool:
        return True

    def put_chunk(self, task_id: bytes, attempt: int, index: int, data: bytes) -> None:
        pass

    def extend_timeout(self, task_id: bytes, by_ms: int) -> "Reply[int]":
        return _answered()

    def release_slot(self, task_id: bytes) -> "Reply[int]":
        return _answered()

    def pause_rate_limit(self, key: str, until: datetime) -> datetime:
        return until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)

    async def aio_pause_rate_limit(self, key: str, until: datetime) -> datetime:
        return self.pause_rate_limit(key, until)

    def cancel_self(self, task_id: bytes, attempt: int) -> None:
        pass

    def has_async_action(self, actions: tuple[str, ...]) -> bool:
        return False


def _answered() -> "Reply[int]":
    from hatchet._run.reply import Reply, Wakeups

    reply: Reply[int] = Reply()
    reply.settle(Wakeups(), 0)
    return reply


def mock_context(
    task: "Task[Any, Any]",
    input: str,
    metadata: dict[str, Any],
    parent_outputs: dict[str, Any],
    retry_count: int,
    lifespan: Any,
) -> Context:
    """The context of an attempt that nobody assigned. Ids are random.

    `parent_outputs` are what the parents return, models or plain data, by name.
    """
    task_id = os.urandom(16)
    assigned = Assigned(
        task_id,
        task_id,
        retry_count,
        task.action,
        task.name,
        input,
        write_metadata(metadata),
        1,
        os.urandom(16),
        os.urandom(16),
        context=write_by_own_type(
            {"parents": {name.lower(): output for name, output in parent_outputs.items()}}
        ),
    )
    port = MockPort(lifespan)
    if task.batch is not None:
        from hatchet.context.batch import BatchContext

        member = Context(assigned, task, port)
        batch = AssignedBatch(os.urandom(16), task.action, "", "", 0, [assigned])
        return BatchContext(batch, {BatchMemberId(member.task_run_id): member}, task, port)
    kind = DurableContext if task.is_durable else Context
    return kind(assigned, task, port)
