"""The context of a batch: one call of a function for many task runs."""

from typing import TYPE_CHECKING, Any

from hatchet.context.context import Context, TaskPort
from hatchet.runnables.types import BatchMemberId

if TYPE_CHECKING:
    from hatchet._core.session import AssignedBatch
    from hatchet.runnables.task import Task

__all__ = ["BatchContext"]


class BatchContext(Context):
    """The second argument of a batch task.

    - `members`: the context of each member, by its id: metadata, attempt, log, and so on
    - `batch_id`, `batch_key`: of the batch, and the value of `batch_group_key` ("" without one)
    - `flush_reason`: why the batch was made now, in words

    What a context says of one run, this one says of the first member that was not cancelled; its
    log lines go there, and runs that the function starts are its children. For another parent:

        with ctx.members[id].as_current():
            child.run(...)

    `release_slot` and `refresh_timeout` count for the whole batch, `cancel` for all members.
    `is_cancelled` is true once all of them are cancelled.
    """

    __slots__ = ("batch_id", "batch_key", "flush_reason", "members")

    def __init__(
        self,
        batch: "AssignedBatch",
        members: dict[BatchMemberId, Context],
        task: "Task[Any, Any]",
        port: TaskPort,
    ) -> None:
        from hatchet.runnables.started import text

        super().__init__(batch.members[0], task, port)
        self.members = members
        self.batch_id = text(batch.id)
        self.batch_key = batch.key
        self.flush_reason = batch.reason
        self._follow(next(iter(members.values())))

    def __repr__(self) -> str:
        return f"BatchContext({self.task_name}, {self.batch_id}, {len(self.members)} members)"

    def cancel(self) -> None:
        """Cancel all members. They end as CANCELLED, whatever the function still does."""
        for member in self.members.values():
            if not member._cancelled:
                member.cancel()
        self._set_cancelled("cancelled by the task itself")

    def _member_cancelled(self, reason: str) -> bool:
        """One of them was; returns whether none is left."""
        for member in self.members.values():
            if not member._cancelled:
                self._follow(member)
                return False
        self._set_cancelled(reason)
        return True

    def _follow(self, member: Context) -> None:
        # Counted together: children and chunks of one run have numbers of their own.
        self._assigned, self._task_id = member._assigned, member._task_id
        self._child_indices, self._chunk_indices = member._child_indices, member._chunk_indices
        self._data_cache = self._metadata_cache = None
