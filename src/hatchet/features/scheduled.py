"""`hatchet.scheduled`: run workflows at a time."""

import builtins
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from hatchet._run.rest import Call, metadata_pairs, nothing
from hatchet.features.schedule_models import (
    ScheduledRunStatus,
    ScheduledWorkflows,
    ScheduledWorkflowsBulkDeleteResponse,
    ScheduledWorkflowsBulkUpdateItem,
    ScheduledWorkflowsBulkUpdateResponse,
    ScheduledWorkflowsList,
    ScheduledWorkflowsOrderByField,
    TriggerRunResult,
    WorkflowRunOrderByDirection,
)

if TYPE_CHECKING:
    from typing import Unpack

    from hatchet._run.client import Client

__all__ = ["ScheduledClient"]

JSONMapping = dict[str, Any]
Updates = Sequence[ScheduledWorkflowsBulkUpdateItem] | Sequence[tuple[str, datetime]]


class ListOptions(TypedDict, total=False):
    """Keywords of `list`."""

    workflow_id: str | None
    parent_workflow_run_id: str | None
    parent_step_run_id: str | None
    statuses: Iterable[ScheduledRunStatus] | None
    additional_metadata: dict[str, str] | None
    order_by_field: ScheduledWorkflowsOrderByField | None
    order_by_direction: WorkflowRunOrderByDirection | None


class BulkDeleteOptions(TypedDict, total=False):
    """Keywords of `bulk_delete`: either ids, or what all of them must have."""

    scheduled_ids: Sequence[str] | None
    workflow_id: str | None
    parent_workflow_run_id: str | None
    parent_step_run_id: str | None
    additional_metadata: dict[str, str] | None


class ScheduledClient:
    """Scheduled runs. Those that have fired stay in lists, with their runs, as long as runs do.

    Methods named `aio_...` do the same from async code. Errors of all methods:
    `hatchet.clients.rest.exceptions`, such as `NotFoundException`. A time without zone is UTC.

        hatchet.scheduled.create("remind", datetime(2026, 5, 1, 8, tzinfo=UTC), {"to": "Ada"})
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _path(self, rest: str | None = None) -> str:
        base = f"/api/v1/tenants/{self._client.rest.tenant}/workflows/scheduled"
        return base if rest is None else f"{base}/{rest}"

    def _one(self, method: str, id: str, body: Any = None) -> Call[ScheduledWorkflows]:
        return self._client.rest.call(
            method, self._path(id), ScheduledWorkflows.model_validate_json, body=body
        )

    def _create(
        self,
        workflow_name: str,
        trigger_at: datetime,
        input: JSONMapping | None,
        additional_metadata: JSONMapping | None,
        priority: int | None,
    ) -> Call[ScheduledWorkflows]:
        rest = self._client.rest
        name = self._client.config.apply_namespace(workflow_name)
        body: JSONMapping = {
            "triggerAt": trigger_at,
            "input": input or {},
            "additionalMetadata": additional_metadata or {},
        }
        if priority is not None:
            body["priority"] = int(priority)
        path = f"/api/v1/tenants/{rest.tenant}/workflows/{name}/scheduled"
        return rest.call("POST", path, ScheduledWorkflows.model_validate_json, body=body)

    def create(
        self,
        workflow_name: str,
        trigger_at: datetime,
        input: JSONMapping | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> ScheduledWorkflows:
        """Run a workflow once, at a time; a time of the past is due at once.

        `priority`: 1 to 3; default: the workflow's.
        """
        return self._create(workflow_name, trigger_at, input, additional_metadata, priority).send()

    async def aio_create(
        self,
        workflow_name: str,
        trigger_at: datetime,
        input: JSONMapping | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> ScheduledWorkflows:
        return await self._create(
            workflow_name, trigger_at, input, additional_metadata, priority
        ).aio()

    def get(self, scheduled_id: str) -> ScheduledWorkflows:
        """One scheduled run."""
        return self._one("GET", scheduled_id).send()

    async def aio_get(self, scheduled_id: str) -> ScheduledWorkflows:
        return await self._one("GET", scheduled_id).aio()

    def update(self, scheduled_id: str, trigger_at: datetime) -> ScheduledWorkflows:
        """Move it to another time. `BadRequestException` if it has fired, `ForbiddenException` if
        `workflow.schedule` has made it."""
        return self._one("PATCH", scheduled_id, {"triggerAt": trigger_at}).send()

    async def aio_update(self, scheduled_id: str, trigger_at: datetime) -> ScheduledWorkflows:
        return await self._one("PATCH", scheduled_id, {"triggerAt": trigger_at}).aio()

    def _delete(self, scheduled_id: str) -> Call[None]:
        return self._client.rest.call("DELETE", self._path(scheduled_id), nothing)

    def delete(self, scheduled_id: str) -> None:
        """Remove it. `ForbiddenException` if `workflow.schedule` has made it."""
        self._delete(scheduled_id).send()

    async def aio_delete(self, scheduled_id: str) -> None:
        await self._delete(scheduled_id).aio()

    def _trigger(self, scheduled_id: str) -> Call[TriggerRunResult]:
        return self._client.rest.call(
            "POST", self._path(scheduled_id), TriggerRunResult.model_validate_json, body={}
        )

    def trigger(self, scheduled_id: str) -> str:
        """Run it now instead of at its time; the id of the run."""
        return self._trigger(scheduled_id).send().external_id

    async def aio_trigger(self, scheduled_id: str) -> str:
        return (await self._trigger(scheduled_id).aio()).external_id

    def _list(
        self, offset: int | None, limit: int | None, more: Any
    ) -> Call[ScheduledWorkflowsList]:
        query = {
            "offset": offset,
            "limit": limit,
            "workflowId": more.get("workflow_id"),
            "parentWorkflowRunId": more.get("parent_workflow_run_id"),
            "parentStepRunId": more.get("parent_step_run_id"),
            "statuses": more.get("statuses"),
            "additionalMetadata": metadata_pairs(more.get("additional_metadata")),
            "orderByField": more.get("order_by_field"),
            "orderByDirection": more.get("order_by_direction"),
        }
        return self._client.rest.call(
            "GET", self._path(), ScheduledWorkflowsList.model_validate_json, query=query
        )

    def list(
        self, offset: int | None = None, limit: int | None = None, **more: "Unpack[ListOptions]"
    ) -> ScheduledWorkflowsList:
        """One page of scheduled runs, the latest due time first by default."""
        return self._list(offset, limit, more).send()

    async def aio_list(
        self, offset: int | None = None, limit: int | None = None, **more: "Unpack[ListOptions]"
    ) -> ScheduledWorkflowsList:
        return await self._list(offset, limit, more).aio()

    def _bulk_delete(self, options: Any) -> Call[ScheduledWorkflowsBulkDeleteResponse]:
        chosen = {
            "workflowId": options.get("workflow_id"),
            "parentWorkflowRunId": options.get("parent_workflow_run_id"),
            "parentStepRunId": options.get("parent_step_run_id"),
            "additionalMetadata": metadata_pairs(options.get("additional_metadata")),
        }
        body: JSONMapping = {}
        if options.get("scheduled_ids"):
            body["scheduledWorkflowRunIds"] = list(options["scheduled_ids"])
        given = {name: value for name, value in chosen.items() if value is not None}
        if given:
            body["filter"] = given
        if not body:
            raise ValueError("bulk_delete needs scheduled_ids or something to select by")
        return self._client.rest.call(
            "POST",
            self._path("bulk-delete"),
            ScheduledWorkflowsBulkDeleteResponse.model_validate_json,
            body=body,
        )

    def bulk_delete(
        self, **options: "Unpack[BulkDeleteOptions]"
    ) -> ScheduledWorkflowsBulkDeleteResponse:
        """Delete several by id (at most 500), or all that are still to come and fit.

        `errors` of the answer names those that could not be deleted. `ValueError` for no options.
        """
        return self._bulk_delete(options).send()

    async def aio_bulk_delete(
        self, **options: "Unpack[BulkDeleteOptions]"
    ) -> ScheduledWorkflowsBulkDeleteResponse:
        return await self._bulk_delete(options).aio()

    def _bulk_update(self, updates: Updates) -> Call[ScheduledWorkflowsBulkUpdateResponse]:
        pairs: builtins.list[tuple[str, datetime]] = [
            (one.id, one.trigger_at) if isinstance(one, ScheduledWorkflowsBulkUpdateItem) else one
            for one in updates
        ]
        body = {"updates": [{"id": id, "triggerAt": at} for id, at in pairs]}
        return self._client.rest.call(
            "POST",
            self._path("bulk-update"),
            ScheduledWorkflowsBulkUpdateResponse.model_validate_json,
            body=body,
        )

    def bulk_update(self, updates: Updates) -> ScheduledWorkflowsBulkUpdateResponse:
        """Move several (at most 500) to other times; `errors` names those that could not be."""
        return self._bulk_update(updates).send()

    async def aio_bulk_update(self, updates: Updates) -> ScheduledWorkflowsBulkUpdateResponse:
        return await self._bulk_update(updates).aio()
