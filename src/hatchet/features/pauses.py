"""`hatchet.pauses`: hold back what waits, and let it go on."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hatchet._core.durations import timedelta_to_expr
from hatchet._run.rest import Call, nothing
from hatchet.features.flow_models import ConcurrencyKeyList, Pause, PauseKind, PauseList

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["PausesClient"]


class PausesClient:
    """Pauses: of everything, a workflow, a worker, a rate limit, one key of a concurrency rule.

    What runs goes on; what waits is not given to workers until the pause ends, with a fresh
    schedule timeout then. Methods named `aio_...` do the same from async code. Errors of all
    methods: `hatchet.clients.rest.exceptions`, such as `NotFoundException`.

        pause = hatchet.pauses.pause_workflow(billing.id, reason="bank is down", by="ops")
        ...
        hatchet.pauses.end(pause)

    Common arguments: `until` ends the pause by itself (a naive time is UTC; default: when somebody
    ends it), `reason` and `by` are shown to whoever lists the pauses.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    @property
    def _base(self) -> str:
        return f"/api/v1/stable/tenants/{self._client.rest.tenant}"

    def _list(self) -> Call[PauseList]:
        return self._client.rest.call("GET", f"{self._base}/pauses", PauseList.model_validate_json)

    def list(self) -> PauseList:
        """All pauses that are on."""
        return self._list().send()

    async def aio_list(self) -> PauseList:
        return await self._list().aio()

    def _begin(
        self, kind: PauseKind, until: datetime | None, reason: str, by: str, **more: Any
    ) -> Call[Pause]:
        given = {"kind": kind, "until": until, "reason": reason, "by": by, **more}
        body = {key: value for key, value in given.items() if value is not None}
        # Twice is as good as once: it changes the pause that is on.
        return self._client.rest.call(
            "POST", f"{self._base}/pauses", Pause.model_validate_json, body=body, retry=True
        )

    def pause_all(self, until: datetime | None = None, reason: str = "", by: str = "") -> Pause:
        """Give no tasks of the tenant to workers for now."""
        return self._begin(PauseKind.TENANT, until, reason, by).send()

    async def aio_pause_all(
        self, until: datetime | None = None, reason: str = "", by: str = ""
    ) -> Pause:
        return await self._begin(PauseKind.TENANT, until, reason, by).aio()

    def _workflow(
        self,
        workflow_id: str,
        queue_ttl: timedelta | None,
        until: datetime | None,
        reason: str,
        by: str,
    ) -> Call[Pause]:
        ttl = None if queue_ttl is None else timedelta_to_expr(queue_ttl)
        return self._begin(
            PauseKind.WORKFLOW, until, reason, by, workflowId=workflow_id, queueTTL=ttl
        )

    def pause_workflow(
        self,
        workflow_id: str,
        queue_ttl: timedelta | None = None,
        until: datetime | None = None,
        reason: str = "",
        by: str = "",
    ) -> Pause:
        """Give no tasks of a workflow to workers for now.

        What waits for longer than `queue_ttl` is cancelled; default: nothing is.
        """
        return self._workflow(workflow_id, queue_ttl, until, reason, by).send()

    async def aio_pause_workflow(
        self,
        workflow_id: str,
        queue_ttl: timedelta | None = None,
        until: datetime | None = None,
        reason: str = "",
        by: str = "",
    ) -> Pause:
        return await self._workflow(workflow_id, queue_ttl, until, reason, by).aio()

    def _key(
        self,
        key: str,
        workflow_id: str | None,
        name: str | None,
        task_name: str | None,
        expression: str | None,
        until: datetime | None,
        reason: str,
        by: str,
    ) -> Call[Pause]:
        if (workflow_id is None) == (name is None):
            raise ValueError(
                "workflow_id: give either the workflow of the concurrency rule, or the `name` of "
                "a rule that workflows share"
            )
        return self._begin(
            PauseKind.CONCURRENCY_KEY,
            until,
            reason,
            by,
            key=key,
            workflowId=workflow_id,
            name=name,
            taskName=task_name,
            expression=expression,
        )

    def pause_key(
        self,
        key: str,
        workflow_id: str | None = None,
        name: str | None = None,
        task_name: str | None = None,
        expression: str | None = None,
        until: datetime | None = None,
        reason: str = "",
        by: str = "",
    ) -> Pause:
        """Let nobody new take a place under one key of a concurrency rule, such as one customer.

        The rule is that of a workflow, or a tenant-scoped one with this `name`. If a workflow has
        several, `task_name` and `expression` say which; otherwise `BadRequestException`.

            hatchet.pauses.pause_key("customer-7", workflow_id=billing.id, reason="disputed")
        """
        return self._key(key, workflow_id, name, task_name, expression, until, reason, by).send()

    async def aio_pause_key(
        self,
        key: str,
        workflow_id: str | None = None,
        name: str | None = None,
        task_name: str | None = None,
        expression: str | None = None,
        until: datetime | None = None,
        reason: str = "",
        by: str = "",
    ) -> Pause:
        return await self._key(
            key, workflow_id, name, task_name, expression, until, reason, by
        ).aio()

    def pause_rate_limit(
        self, key: str, until: datetime | None = None, reason: str = "", by: str = ""
    ) -> Pause:
        """Give out no units of a rate limit for now.

        It changes the pause that is on, also to an earlier end; `hatchet.rate_limits.pause` only
        ever makes it longer, as tasks want that hear "come back later" from an API.
        """
        return self._begin(PauseKind.RATE_LIMIT, until, reason, by, key=key).send()

    async def aio_pause_rate_limit(
        self, key: str, until: datetime | None = None, reason: str = "", by: str = ""
    ) -> Pause:
        return await self._begin(PauseKind.RATE_LIMIT, until, reason, by, key=key).aio()

    def pause_worker(
        self, worker_id: str, until: datetime | None = None, reason: str = "", by: str = ""
    ) -> Pause:
        """Give a worker no new tasks for now. The pause ends when the worker leaves, too."""
        return self._begin(PauseKind.WORKER, until, reason, by, workerId=worker_id).send()

    async def aio_pause_worker(
        self, worker_id: str, until: datetime | None = None, reason: str = "", by: str = ""
    ) -> Pause:
        return await self._begin(PauseKind.WORKER, until, reason, by, workerId=worker_id).aio()

    def ending(self, kind: PauseKind, target: str) -> Call[None]:
        """The call that ends a pause; not yet sent."""
        query = {"kind": kind, "target": target}
        return self._client.rest.call(
            "DELETE", f"{self._base}/pauses", nothing, query=query, retry=True
        )

    def end(self, pause: Pause) -> None:
        """End a pause, as `list` or the call that began it gave it. No error if it has ended."""
        self.ending(pause.kind, pause.target).send()

    async def aio_end(self, pause: Pause) -> None:
        await self.ending(pause.kind, pause.target).aio()

    def _keys(self, workflow_id: str | None, limit: int | None) -> Call[ConcurrencyKeyList]:
        return self._client.rest.call(
            "GET",
            f"{self._base}/concurrency-keys",
            ConcurrencyKeyList.model_validate_json,
            query={"workflow_id": workflow_id, "limit": limit},
        )

    def list_keys(
        self, workflow_id: str | None = None, limit: int | None = None
    ) -> ConcurrencyKeyList:
        """Concurrency keys in use, those with the most waiting first; at most `limit` (100)."""
        return self._keys(workflow_id, limit).send()

    async def aio_list_keys(
        self, workflow_id: str | None = None, limit: int | None = None
    ) -> ConcurrencyKeyList:
        return await self._keys(workflow_id, limit).aio()
