"""`hatchet.metrics`: how many runs and tasks wait, run, have ended."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, TypeAdapter

from hatchet._run.rest import Call
from hatchet.features.flow_models import TaskStat

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["MetricsClient", "TaskMetrics"]

DEFAULT_RANGE = timedelta(days=1)


class TaskMetrics(BaseModel):
    """Runs by status."""

    cancelled: int
    completed: int
    failed: int
    queued: int
    running: int


class MetricsClient:
    """Counts for dashboards and autoscalers. `aio_...` methods do the same from async code."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @property
    def _tenant(self) -> str:
        return f"/api/v1/tenants/{self._client.rest.tenant}"

    def _queues(self) -> Call[dict[str, Any]]:
        return self._client.rest.call("GET", f"{self._tenant}/step-run-queue-metrics", _queues)

    def get_queue_metrics(self) -> dict[str, Any]:
        """Waiting tasks by queue (`workflow:task`). For what waits for a place under a concurrency
        key also by key, under the name of the workflow: `{"mail:send": 12, "mail": {"ann": 9}}`."""
        return self._queues().send()

    async def aio_get_queue_metrics(self) -> dict[str, Any]:
        return await self._queues().aio()

    def _prometheus(self) -> Call[str]:
        return self._client.rest.call("GET", f"{self._tenant}/prometheus-metrics", bytes.decode)

    def scrape_tenant_prometheus_metrics(self) -> str:
        """The tenant's gauges in Prometheus' text format."""
        return self._prometheus().send()

    async def aio_scrape_tenant_prometheus_metrics(self) -> str:
        return await self._prometheus().aio()

    def _task_stats(self, task_names: Iterable[str] | None) -> Call[dict[str, TaskStat]]:
        read = TypeAdapter(dict[str, TaskStat]).validate_json
        query = {"taskNames": task_names}
        return self._client.rest.call("GET", f"{self._tenant}/task-stats", read, query=query)

    def get_task_stats(self, task_names: Iterable[str] | None = None) -> dict[str, TaskStat]:
        """Waiting and running tasks by name, with the age of the oldest.

        Names without any are left out; those in `task_names` are always there.
        """
        return self._task_stats(task_names).send()

    async def aio_get_task_stats(
        self, task_names: Iterable[str] | None = None
    ) -> dict[str, TaskStat]:
        return await self._task_stats(task_names).aio()

    def _task_metrics(
        self,
        since: datetime | None,
        until: datetime | None,
        workflow_ids: Iterable[str] | None,
        parent_task_external_id: str | None,
        triggering_event_external_id: str | None,
    ) -> Call[TaskMetrics]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/task-metrics",
            _task_metrics,
            query={
                "since": since or datetime.now(UTC) - DEFAULT_RANGE,
                "until": until,
                "workflow_ids": workflow_ids,
                "parent_task_external_id": parent_task_external_id,
                "triggering_event_external_id": triggering_event_external_id,
            },
        )

    def get_task_metrics(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        workflow_ids: Iterable[str] | None = None,
        parent_task_external_id: str | None = None,
        triggering_event_external_id: str | None = None,
    ) -> TaskMetrics:
        """Runs created between two times (default: the last day) by status."""
        return self._task_metrics(
            since, until, workflow_ids, parent_task_external_id, triggering_event_external_id
        ).send()

    async def aio_get_task_metrics(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        workflow_ids: Iterable[str] | None = None,
        parent_task_external_id: str | None = None,
        triggering_event_external_id: str | None = None,
    ) -> TaskMetrics:
        return await self._task_metrics(
            since, until, workflow_ids, parent_task_external_id, triggering_event_external_id
        ).aio()


def _queues(data: bytes) -> dict[str, Any]:
    queues: dict[str, Any] = orjson.loads(data).get("queues") or {}
    return queues


def _task_metrics(data: bytes) -> TaskMetrics:
    counts = {entry["status"].lower(): entry["count"] for entry in orjson.loads(data)}
    return TaskMetrics(**counts)
