"""`hatchet.workflows`: read and delete registered workflows."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from hatchet._core.durations import timedelta_to_expr
from hatchet._run.rest import Call, nothing
from hatchet.features.models import Workflow, WorkflowList, WorkflowVersion

if TYPE_CHECKING:
    from typing import Unpack

    from hatchet._run.client import Client

__all__ = ["WorkflowsClient"]


class WhilePaused(TypedDict, total=False):
    """What becomes of runs that are due while a workflow is paused."""

    paused_workflow_cron_run_queue_behavior: Literal["DROP", "QUEUE"]
    paused_workflow_scheduled_run_queue_behavior: Literal["DROP", "QUEUE"]


class WorkflowsClient:
    """Read and delete registered workflows. `aio_...` methods do the same from async code."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _get(self, workflow_id: str) -> Call[Workflow]:
        return self._client.rest.call(
            "GET", f"/api/v1/workflows/{workflow_id}", Workflow.model_validate_json
        )

    def get(self, workflow_id: str) -> Workflow:
        """One workflow, by id."""
        return self._get(workflow_id).send()

    async def aio_get(self, workflow_id: str) -> Workflow:
        return await self._get(workflow_id).aio()

    def _list(
        self, workflow_name: str | None, limit: int | None, offset: int | None
    ) -> Call[WorkflowList]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/tenants/{self._client.rest.tenant}/workflows",
            WorkflowList.model_validate_json,
            query={
                "name": self._client.config.apply_namespace(workflow_name),
                "limit": limit,
                "offset": offset,
            },
        )

    def list(
        self,
        workflow_name: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> WorkflowList:
        """One page of workflows; `workflow_name` selects by a part of the name."""
        return self._list(workflow_name, limit, offset).send()

    async def aio_list(
        self,
        workflow_name: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> WorkflowList:
        return await self._list(workflow_name, limit, offset).aio()

    def _get_version(self, workflow_id: str, version: str | None) -> Call[WorkflowVersion]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/workflows/{workflow_id}/versions",
            WorkflowVersion.model_validate_json,
            query={"version": version},
        )

    def get_version(self, workflow_id: str, version: str | None = None) -> WorkflowVersion:
        """One version of a workflow, by its id; default: the latest."""
        return self._get_version(workflow_id, version).send()

    async def aio_get_version(
        self, workflow_id: str, version: str | None = None
    ) -> WorkflowVersion:
        return await self._get_version(workflow_id, version).aio()

    def _delete(self, workflow_id: str) -> Call[None]:
        return self._client.rest.call("DELETE", f"/api/v1/workflows/{workflow_id}", nothing)

    def delete(self, workflow_id: str) -> None:
        """Delete a workflow. Its runs stay readable."""
        self._delete(workflow_id).send()

    async def aio_delete(self, workflow_id: str) -> None:
        await self._delete(workflow_id).aio()

    def _update(self, workflow_id: str, body: dict[str, Any]) -> Call[Workflow]:
        return self._client.rest.call(
            "PATCH",
            f"/api/v1/workflows/{workflow_id}",
            Workflow.model_validate_json,
            body=body,
            retry=True,
        )

    def pause(
        self, workflow_id: str, queue_ttl: timedelta, **behaviors: "Unpack[WhilePaused]"
    ) -> Workflow:
        """Give no tasks of a workflow to workers for now; what runs goes on.

        New runs wait, for at most `queue_ttl`, then they are cancelled.
        `paused_workflow_cron_run_queue_behavior` and
        `paused_workflow_scheduled_run_queue_behavior` say whether runs that become due wait as
        well ("QUEUE", the default) or are never made ("DROP"). `hatchet.pauses.pause_workflow`
        can also say until when, by whom and why.

            hatchet.workflows.pause(billing.id, queue_ttl=timedelta(hours=2))
        """
        return self._update(workflow_id, _pause_body(queue_ttl, **behaviors)).send()

    async def aio_pause(
        self, workflow_id: str, queue_ttl: timedelta, **behaviors: "Unpack[WhilePaused]"
    ) -> Workflow:
        return await self._update(workflow_id, _pause_body(queue_ttl, **behaviors)).aio()

    def unpause(self, workflow_id: str) -> Workflow:
        """Let a paused workflow run again."""
        return self._update(workflow_id, {"pause": {"action": "unpause"}}).send()

    async def aio_unpause(self, workflow_id: str) -> Workflow:
        return await self._update(workflow_id, {"pause": {"action": "unpause"}}).aio()

    resume = unpause
    aio_resume = aio_unpause


def _pause_body(
    queue_ttl: timedelta,
    paused_workflow_cron_run_queue_behavior: str = "QUEUE",
    paused_workflow_scheduled_run_queue_behavior: str = "QUEUE",
) -> dict[str, Any]:
    return {
        "pause": {
            "action": "pause",
            "pausedWorkflowCronRunQueueBehavior": paused_workflow_cron_run_queue_behavior,
            "pausedWorkflowScheduledRunQueueBehavior": paused_workflow_scheduled_run_queue_behavior,
            "pausedWorkflowQueueTTL": timedelta_to_expr(queue_ttl),
        }
    }
