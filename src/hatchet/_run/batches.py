"""One call of a function for the attempts of a whole batch."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from hatchet.context.batch import BatchContext
from hatchet.runnables.batch import Outcome, outcomes
from hatchet.runnables.types import BatchMemberId

if TYPE_CHECKING:
    from hatchet._core.session import AssignedBatch
    from hatchet._run.executor import Attempt
    from hatchet.context.context import TaskPort
    from hatchet.runnables.task import Task


class BatchAttempt:
    """The attempts that one call serves. Each is reported by itself, and cancelled by itself; the
    call is cancelled with the last of them."""

    __slots__ = ("context", "job", "members", "task")

    def __init__(
        self,
        assigned: "AssignedBatch",
        task: "Task[Any, Any]",
        members: "list[Attempt]",
        port: "TaskPort",
    ) -> None:
        self.task = task
        self.members = {BatchMemberId(one.context.task_run_id): one for one in members}
        contexts = {id: one.context for id, one in self.members.items()}
        self.context = BatchContext(assigned, contexts, task, port)
        self.job: asyncio.Task[None] | None = None
        for member in members:
            member.batch = self

    def inputs(self) -> tuple[dict[BatchMemberId, Any], dict[BatchMemberId, Outcome]]:
        """The inputs by member, and the members whose input is none."""
        started_at_ms = int(time.time() * 1000)
        read: dict[BatchMemberId, Any] = {}
        unreadable: dict[BatchMemberId, Outcome] = {}
        for id, member in self.members.items():
            member.started_at_ms = started_at_ms
            try:
                read[id] = self.task._input_codec.read(member.assigned.input)
            except Exception as error:
                unreadable[id] = error
        return read, unreadable

    def outcomes(
        self, inputs: dict[BatchMemberId, Any], value: Any
    ) -> dict[BatchMemberId, Outcome]:
        """What the function's result means for each. Raises `IllegalTaskOutputError`."""
        assert self.task.batch is not None
        return outcomes(
            self.task._output_codec, list(inputs), value, self.task.batch.broadcast_output
        )
