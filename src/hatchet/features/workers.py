"""`hatchet.workers`: read and pause workers."""

from typing import TYPE_CHECKING

from hatchet._run.rest import Call
from hatchet.features.models import UpdateWorkerRequest, Worker, WorkerList

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["WorkersClient"]


class WorkersClient:
    """Read and pause workers. `aio_...` methods do the same from async code."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _get(self, worker_id: str) -> Call[Worker]:
        return self._client.rest.call(
            "GET", f"/api/v1/workers/{worker_id}", Worker.model_validate_json
        )

    def get(self, worker_id: str) -> Worker:
        """One worker, by id."""
        return self._get(worker_id).send()

    async def aio_get(self, worker_id: str) -> Worker:
        return await self._get(worker_id).aio()

    def _list(self) -> Call[WorkerList]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/tenants/{self._client.rest.tenant}/worker",
            WorkerList.model_validate_json,
        )

    def list(self) -> WorkerList:
        """Workers seen in the last 24 hours, newest first."""
        return self._list().send()

    async def aio_list(self) -> WorkerList:
        return await self._list().aio()

    def _update(self, worker_id: str, opts: UpdateWorkerRequest) -> Call[Worker]:
        return self._client.rest.call(
            "PATCH",
            f"/api/v1/workers/{worker_id}",
            Worker.model_validate_json,
            body=opts.model_dump(by_alias=True, exclude_none=True),
            retry=True,
        )

    def update(self, worker_id: str, opts: UpdateWorkerRequest) -> Worker:
        """Change a worker."""
        return self._update(worker_id, opts).send()

    async def aio_update(self, worker_id: str, opts: UpdateWorkerRequest) -> Worker:
        return await self._update(worker_id, opts).aio()

    def pause(self, worker_id: str) -> Worker:
        """Give the worker no new tasks; running ones go on.

        `hatchet.pauses.pause_worker` also says until when, why and by whom.
        """
        return self.update(worker_id, UpdateWorkerRequest(is_paused=True))

    async def aio_pause(self, worker_id: str) -> Worker:
        return await self.aio_update(worker_id, UpdateWorkerRequest(is_paused=True))

    def unpause(self, worker_id: str) -> Worker:
        """Let a paused worker take tasks again."""
        return self.update(worker_id, UpdateWorkerRequest(is_paused=False))

    async def aio_unpause(self, worker_id: str) -> Worker:
        return await self.aio_update(worker_id, UpdateWorkerRequest(is_paused=False))

    resume = unpause
    aio_resume = aio_unpause
