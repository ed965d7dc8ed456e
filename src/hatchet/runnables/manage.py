"""What can be asked and said about a registered workflow: its filters, its runs, its end."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from hatchet.runnables.schedules import Schedulable
from hatchet.runnables.task import TInput

if TYPE_CHECKING:
    from typing import Unpack

    from hatchet.features.event_models import V1Filter
    from hatchet.features.filters import FiltersClient
    from hatchet.features.models import V1TaskStatus, V1TaskSummary
    from hatchet.features.models import Workflow as StoredWorkflow
    from hatchet.features.runs import RunsClient
    from hatchet.features.workflows import WhilePaused, WorkflowsClient

__all__ = ["Managed"]


class RunListOptions(TypedDict, total=False):
    """Keywords of `list_runs`."""

    statuses: "Iterable[V1TaskStatus] | None"
    additional_metadata: dict[str, str] | None
    worker_id: str | None
    parent_task_external_id: str | None
    only_tasks: bool
    triggering_event_external_id: str | None


class Managed(Schedulable[TInput]):
    """A workflow and its traces in the engine. It must be registered: a worker has started."""

    def create_filter(
        self, expression: str, scope: str, payload: dict[str, Any] | None = None
    ) -> "V1Filter":
        """Let events of a scope start this workflow; see `hatchet.filters.create`."""
        return self._filters().create(self.id, expression, scope, payload)

    async def aio_create_filter(
        self, expression: str, scope: str, payload: dict[str, Any] | None = None
    ) -> "V1Filter":
        """Like `create_filter`, from async code."""
        return await self._filters().aio_create(await self._aio_id(), expression, scope, payload)

    def list_runs(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 100,
        offset: int | None = None,
        **more: "Unpack[RunListOptions]",
    ) -> "list[V1TaskSummary]":
        """Runs of this workflow, newest first; default: of the last day.

        `limit` and `offset` are for each day of the range. Further keywords as for
        `hatchet.runs.list`.
        """
        return self._runs().list_with_pagination(
            since, until=until, limit=limit, offset=offset, workflow_ids=[self.id], **more
        )

    async def aio_list_runs(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 100,
        offset: int | None = None,
        **more: "Unpack[RunListOptions]",
    ) -> "list[V1TaskSummary]":
        """Like `list_runs`, from async code."""
        ids = [await self._aio_id()]
        return await self._runs().aio_list_with_pagination(
            since, until=until, limit=limit, offset=offset, workflow_ids=ids, **more
        )

    def delete(self) -> None:
        """Remove this workflow and its versions from the engine."""
        self._workflows().delete(self.id)

    async def aio_delete(self) -> None:
        """Like `delete`, from async code."""
        await self._workflows().aio_delete(await self._aio_id())

    def pause(self, queue_ttl: timedelta, **behaviors: "Unpack[WhilePaused]") -> "StoredWorkflow":
        """Start no runs of this workflow for now; see `hatchet.workflows.pause`."""
        return self._workflows().pause(self.id, queue_ttl, **behaviors)

    async def aio_pause(
        self, queue_ttl: timedelta, **behaviors: "Unpack[WhilePaused]"
    ) -> "StoredWorkflow":
        """Like `pause`, from async code."""
        return await self._workflows().aio_pause(await self._aio_id(), queue_ttl, **behaviors)

    def unpause(self) -> "StoredWorkflow":
        """Let this workflow run again."""
        return self._workflows().unpause(self.id)

    async def aio_unpause(self) -> "StoredWorkflow":
        """Like `unpause`, from async code."""
        return await self._workflows().aio_unpause(await self._aio_id())

    resume = unpause
    aio_resume = aio_unpause

    def _filters(self) -> "FiltersClient":
        from hatchet.features.filters import FiltersClient

        return FiltersClient(self._client)

    def _runs(self) -> "RunsClient":
        from hatchet.features.runs import RunsClient

        return RunsClient(self._client)

    def _workflows(self) -> "WorkflowsClient":
        from hatchet.features.workflows import WorkflowsClient

        return WorkflowsClient(self._client)
