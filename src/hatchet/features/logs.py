"""`hatchet.logs`: read logs of task runs."""

from datetime import datetime
from typing import TYPE_CHECKING

from hatchet._run.rest import Call
from hatchet.features.models import V1LogLineList

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["LogsClient"]


class LogsClient:
    """Read logs of task runs."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _list(
        self, task_run_id: str, limit: int, since: datetime | None, until: datetime | None
    ) -> Call[V1LogLineList]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/tasks/{task_run_id}/logs",
            V1LogLineList.model_validate_json,
            query={"limit": limit, "since": since, "until": until},
        )

    def list(
        self,
        task_run_id: str,
        limit: int = 1000,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> V1LogLineList:
        """Log lines of one task run, all attempts, oldest first."""
        return self._list(task_run_id, limit, since, until).send()

    async def aio_list(
        self,
        task_run_id: str,
        limit: int = 1000,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> V1LogLineList:
        """Like `list`, from async code."""
        return await self._list(task_run_id, limit, since, until).aio()
