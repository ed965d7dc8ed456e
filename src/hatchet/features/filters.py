"""`hatchet.filters`: say which events start a workflow."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hatchet._run.rest import Call
from hatchet.features.event_models import V1Filter, V1FilterList, V1UpdateFilterRequest

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["FiltersClient"]

JSONMapping = dict[str, Any]


class FiltersClient:
    """Filters of events. A workflow that has any is started only by events which one lets through.

    Methods named `aio_...` do the same from async code. Errors of all methods:
    `hatchet.clients.rest.exceptions`, such as `NotFoundException`.

        hatchet.filters.create(
            workflow_id=ship.id,
            expression="input.total > payload.limit",
            scope="shop-1",
            payload={"limit": 100},
        )
        hatchet.event.push("order:created", {"total": 120}, scope="shop-1")
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _path(self, filter_id: str | None = None) -> str:
        base = f"/api/v1/stable/tenants/{self._client.rest.tenant}/filters"
        return base if filter_id is None else f"{base}/{filter_id}"

    def _one(self, method: str, filter_id: str | None, body: Any = None) -> Call[V1Filter]:
        return self._client.rest.call(
            method, self._path(filter_id), V1Filter.model_validate_json, body=body
        )

    def _list(
        self,
        limit: int | None,
        offset: int | None,
        workflow_ids: Iterable[str] | None,
        scopes: Iterable[str] | None,
    ) -> Call[V1FilterList]:
        return self._client.rest.call(
            "GET",
            self._path(),
            V1FilterList.model_validate_json,
            query={
                "limit": limit,
                "offset": offset,
                "workflowIds": workflow_ids,
                "scopes": scopes,
            },
        )

    def list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        workflow_ids: Iterable[str] | None = None,
        scopes: Iterable[str] | None = None,
    ) -> V1FilterList:
        """Filters, newest first, of any of these workflows and scopes."""
        return self._list(limit, offset, workflow_ids, scopes).send()

    async def aio_list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        workflow_ids: Iterable[str] | None = None,
        scopes: Iterable[str] | None = None,
    ) -> V1FilterList:
        return await self._list(limit, offset, workflow_ids, scopes).aio()

    def get(self, filter_id: str) -> V1Filter:
        """One filter."""
        return self._one("GET", filter_id).send()

    async def aio_get(self, filter_id: str) -> V1Filter:
        return await self._one("GET", filter_id).aio()

    def _create(
        self, workflow_id: str, expression: str, scope: str, payload: JSONMapping | None
    ) -> Call[V1Filter]:
        body: JSONMapping = {"workflowId": workflow_id, "expression": expression, "scope": scope}
        if payload is not None:
            body["payload"] = payload
        return self._one("POST", None, body)

    def create(
        self, workflow_id: str, expression: str, scope: str, payload: JSONMapping | None = None
    ) -> V1Filter:
        """Let events of a scope start a workflow if a CEL expression over them holds.

        The expression knows `input` (the event's payload), `additional_metadata`, `payload` (of
        the filter; tasks see it as `ctx.filter_payload`), `event_id` and `event_key`.
        `hatchet.cel.debug` tries one out.
        """
        return self._create(workflow_id, expression, scope, payload).send()

    async def aio_create(
        self, workflow_id: str, expression: str, scope: str, payload: JSONMapping | None = None
    ) -> V1Filter:
        return await self._create(workflow_id, expression, scope, payload).aio()

    def update(self, filter_id: str, updates: V1UpdateFilterRequest) -> V1Filter:
        """Change what `updates` says."""
        return self._one("PATCH", filter_id, _changes(updates)).send()

    async def aio_update(self, filter_id: str, updates: V1UpdateFilterRequest) -> V1Filter:
        return await self._one("PATCH", filter_id, _changes(updates)).aio()

    def delete(self, filter_id: str) -> V1Filter:
        """Remove a filter; what it was."""
        return self._one("DELETE", filter_id).send()

    async def aio_delete(self, filter_id: str) -> V1Filter:
        return await self._one("DELETE", filter_id).aio()


def _changes(updates: V1UpdateFilterRequest) -> JSONMapping:
    return updates.model_dump(by_alias=True, exclude_none=True)
