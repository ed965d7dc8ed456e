"""References to runs."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hatchet._core import outcome as outcomes
from hatchet.runnables.guard import check_blocking_wait
from hatchet.runnables.started import raw

if TYPE_CHECKING:
    from hatchet._core.session import RunOutcome
    from hatchet._run.client import Client
    from hatchet.clients.listeners.run_event_listener import RunEventListener
    from hatchet.runnables.workflow import Standalone

__all__ = ["TaskRunRef", "WorkflowRunRef"]

TInput = TypeVar("TInput")
R = TypeVar("R")

DETAILS_PATH = "/v1.AdminService/GetRunDetails"


class _RunRef:
    """`known`: the engine has told this id; others are looked up, or a wait might never end."""

    def __init__(
        self,
        workflow_run_id: str,
        client: "Client",
        actions: tuple[str, ...] = (),
        known: bool = True,
    ) -> None:
        self.workflow_run_id = workflow_run_id
        self._known = known
        self._client = client
        self._actions = actions

    def __str__(self) -> str:
        return self.workflow_run_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.workflow_run_id})"

    def stream(self) -> "RunEventListener":
        """What happens in the run: starts and ends of its tasks from now on, and stream chunks
        from the first one on.

            async for event in ref.stream():
                if event.type is StepRunEventType.STEP_RUN_EVENT_TYPE_STREAM:
                    print(event.payload, end="")

        For the chunks alone: `hatchet.runs.subscribe_to_stream(ref.workflow_run_id)`.
        """
        from hatchet.clients.listeners.run_event_listener import RunEventListener

        return RunEventListener(self._client, workflow_run_id=self.workflow_run_id)

    # Asked each time: a replay gives the run another result.

    def _wait(self, timeout_s: float | None) -> "RunOutcome":
        check_blocking_wait(self._actions)
        session, ids = self._client.session, [raw(self.workflow_run_id)]
        if not self._known:
            session.unary_sync(DETAILS_PATH, self._details_request(), timeout_s)
            self._known = True
        watch = session.watch(ids)
        try:
            (outcome,) = watch.gathering.reply.wait(timeout_s)
        except BaseException:
            session.unwatch(ids, watch.gathering)
            raise
        return outcome

    async def _aio_wait(self, timeout_s: float | None) -> "RunOutcome":
        session, ids = self._client.session, [raw(self.workflow_run_id)]
        if not self._known:
            await session.unary(DETAILS_PATH, self._details_request(), timeout_s)
            self._known = True
        watch = session.watch(ids)
        try:
            (outcome,) = await watch.gathering.reply.aio(timeout_s)
        except BaseException:
            session.unwatch(ids, watch.gathering)
            raise
        return outcome

    def _details_request(self) -> dict[str, str]:
        return {"external_id": self.workflow_run_id}


class WorkflowRunRef(_RunRef):
    """A run of a workflow: `ref.result()` waits for it.

    `workflow_run_id` is its id. Results are pushed by the engine; nothing polls.
    """

    def result(
        self, poll_interval: float | None = None, *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Wait for the end of the run: `{task name: output}`.

        `timeout_s`: how long at most, in seconds (default: no limit); then `TimeoutError`, and
        the run goes on. `poll_interval` is accepted and not used.

        Raises `FailedTaskRunExceptionGroup` if the run failed, `RunCancelledError` if it was
        cancelled (both are `ValueError`s), `HatchetCallError` (NOT_FOUND) for an id that nobody
        knows.
        """
        return self._read(self._wait(timeout_s))

    async def aio_result(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Like `result`, from async code."""
        return self._read(await self._aio_wait(timeout_s))

    def _read(self, outcome: "RunOutcome") -> dict[str, Any]:
        outcomes.check(self.workflow_run_id, outcome)
        return outcomes.outputs(outcome)


class TaskRunRef(_RunRef, Generic[TInput, R]):
    """A run of a standalone task: `ref.result()` waits for it and gives the typed output."""

    def __init__(
        self,
        workflow_run_id: str,
        client: "Client",
        standalone: "Standalone[TInput, R]",
        known: bool = True,
    ) -> None:
        super().__init__(workflow_run_id, client, standalone._async_actions(), known)
        self._standalone = standalone

    def result(self, poll_interval: float | None = None, *, timeout_s: float | None = None) -> R:
        """Wait for the end of the run: the validated output. See `WorkflowRunRef.result`."""
        return self._standalone._read_outcome(self.workflow_run_id, self._wait(timeout_s))

    async def aio_result(self, *, timeout_s: float | None = None) -> R:
        """Like `result`, from async code."""
        return self._standalone._read_outcome(self.workflow_run_id, await self._aio_wait(timeout_s))
