"""`hatchet.cron`: start workflows by the clock."""

import builtins
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from hatchet._run.rest import Call, metadata_pairs, nothing
from hatchet.features.schedule_models import (
    CronPreview,
    CronWorkflows,
    CronWorkflowsList,
    CronWorkflowsOrderByField,
    TriggerRunResult,
    WorkflowRunOrderByDirection,
)

if TYPE_CHECKING:
    from typing import Unpack

    from hatchet._run.client import Client


__all__ = ["CronClient"]

JSONMapping = dict[str, Any]


class ListOptions(TypedDict, total=False):
    """Keywords of `list`."""

    workflow_id: str | None
    additional_metadata: dict[str, str] | None
    order_by_field: CronWorkflowsOrderByField | None
    order_by_direction: WorkflowRunOrderByDirection | None
    workflow_name: str | None
    cron_name: str | None


class CronClient:
    """Crons: those that workflows declare with `on_crons`, and more, made here by name.

    Methods named `aio_...` do the same from async code. Errors of all methods:
    `hatchet.clients.rest.exceptions`, such as `NotFoundException`.

        hatchet.cron.create(
            workflow_name="report",
            cron_name="berlin-mornings",
            expression=Cron("0 7 * * MON-FRI", zone="Europe/Berlin"),
        )
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _path(self, cron_id: str | None = None) -> str:
        base = f"/api/v1/tenants/{self._client.rest.tenant}/workflows/crons"
        return base if cron_id is None else f"{base}/{cron_id}"

    def _create(
        self,
        workflow_name: str,
        cron_name: str,
        expression: str,
        input: JSONMapping | None,
        additional_metadata: JSONMapping | None,
        priority: int | None,
    ) -> Call[CronWorkflows]:
        rest = self._client.rest
        name = self._client.config.apply_namespace(workflow_name)
        body: JSONMapping = {
            "cronName": cron_name,
            "cronExpression": expression,
            "input": input or {},
            "additionalMetadata": additional_metadata or {},
        }
        if priority is not None:
            body["priority"] = int(priority)
        path = f"/api/v1/tenants/{rest.tenant}/workflows/{name}/crons"
        return rest.call("POST", path, CronWorkflows.model_validate_json, body=body)

    def create(
        self,
        workflow_name: str,
        cron_name: str,
        expression: str,
        input: JSONMapping | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> CronWorkflows:
        """Start a workflow whenever the expression is due.

        - `cron_name`: with the expression, unique for the workflow
        - `expression`: 5 fields, or 6 with seconds; `Cron(...)` adds a time zone and more
        - `input`, `additional_metadata`: of each run
        - `priority`: 1 to 3; default: the workflow's

        Raises `BadRequestException` for what the engine refuses, naming the field.
        """
        return self._create(
            workflow_name, cron_name, expression, input, additional_metadata, priority
        ).send()

    async def aio_create(
        self,
        workflow_name: str,
        cron_name: str,
        expression: str,
        input: JSONMapping | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> CronWorkflows:
        return await self._create(
            workflow_name, cron_name, expression, input, additional_metadata, priority
        ).aio()

    def _get(self, cron_id: str) -> Call[CronWorkflows]:
        return self._client.rest.call("GET", self._path(cron_id), CronWorkflows.model_validate_json)

    def get(self, cron_id: str) -> CronWorkflows:
        """One cron."""
        return self._get(cron_id).send()

    async def aio_get(self, cron_id: str) -> CronWorkflows:
        return await self._get(cron_id).aio()

    def _list(self, offset: int | None, limit: int | None, more: Any) -> Call[CronWorkflowsList]:
        query = {
            "offset": offset,
            "limit": limit,
            "workflowId": more.get("workflow_id"),
            "additionalMetadata": metadata_pairs(more.get("additional_metadata")),
            "orderByField": more.get("order_by_field"),
            "orderByDirection": more.get("order_by_direction"),
            "workflowName": self._client.config.apply_namespace(more.get("workflow_name")),
            "cronName": more.get("cron_name"),
        }
        return self._client.rest.call(
            "GET", self._path(), CronWorkflowsList.model_validate_json, query=query
        )

    def list(
        self, offset: int | None = None, limit: int | None = None, **more: "Unpack[ListOptions]"
    ) -> CronWorkflowsList:
        """One page of crons, newest first by default."""
        return self._list(offset, limit, more).send()

    async def aio_list(
        self, offset: int | None = None, limit: int | None = None, **more: "Unpack[ListOptions]"
    ) -> CronWorkflowsList:
        return await self._list(offset, limit, more).aio()

    def _delete(self, cron_id: str) -> Call[None]:
        return self._client.rest.call("DELETE", self._path(cron_id), nothing)

    def delete(self, cron_id: str) -> None:
        """Remove a cron. One that a workflow declares comes back with its next changed version."""
        self._delete(cron_id).send()

    async def aio_delete(self, cron_id: str) -> None:
        await self._delete(cron_id).aio()

    def _enable(self, cron_id: str, enabled: bool) -> Call[None]:
        body = {"enabled": enabled}
        return self._client.rest.call("PATCH", self._path(cron_id), nothing, body=body)

    def enable(self, cron_id: str) -> None:
        """Let a cron fire again. What it missed is not made good."""
        self._enable(cron_id, True).send()

    async def aio_enable(self, cron_id: str) -> None:
        await self._enable(cron_id, True).aio()

    def disable(self, cron_id: str) -> None:
        """Keep a cron from firing."""
        self._enable(cron_id, False).send()

    async def aio_disable(self, cron_id: str) -> None:
        await self._enable(cron_id, False).aio()

    def _trigger(self, cron_id: str) -> Call[TriggerRunResult]:
        return self._client.rest.call(
            "POST", self._path(cron_id), TriggerRunResult.model_validate_json, body={}
        )

    def trigger(self, cron_id: str) -> str:
        """Run it now, even if it is disabled; the id of the run."""
        return self._trigger(cron_id).send().external_id

    async def aio_trigger(self, cron_id: str) -> str:
        return (await self._trigger(cron_id).aio()).external_id

    def _preview(self, expression: str, count: int, after: datetime | None) -> Call[CronPreview]:
        query = {"expression": expression, "count": count, "after": after}
        return self._client.rest.call(
            "GET", self._path("preview"), CronPreview.model_validate_json, query=query
        )

    def preview(
        self, expression: str, count: int = 5, after: datetime | None = None
    ) -> builtins.list[datetime]:
        """The next times at which an expression is due, in UTC; nothing is made.

        - `count`: 1 to 1000
        - `after`: default: now; a time without zone is UTC
        """
        return self._preview(expression, count, after).send().ticks

    async def aio_preview(
        self, expression: str, count: int = 5, after: datetime | None = None
    ) -> builtins.list[datetime]:
        return (await self._preview(expression, count, after).aio()).ticks
