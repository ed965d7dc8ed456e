"""`hatchet.runs`: read, cancel and replay runs; ask why they wait."""

import asyncio
import builtins
import time
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

import orjson

from hatchet._run.rest import Call, metadata_pairs, nothing
from hatchet.features.models import (
    BulkCancelReplayOpts,
    RunStatus,
    TaskRunDetail,
    V1TaskStatus,
    V1TaskSummary,
    V1TaskSummaryList,
    V1WorkflowRunDetails,
    WorkflowRunDetail,
)
from hatchet.features.why_models import Why
from hatchet.runnables.started import raw, text
from hatchet.workflow_run import DETAILS_PATH, WorkflowRunRef

if TYPE_CHECKING:
    from typing import Unpack

    from hatchet._run.client import Client

__all__ = ["RunsClient"]

LONG_RANGE = timedelta(days=7)
UNFINISHED = (V1TaskStatus.RUNNING, V1TaskStatus.QUEUED)
UNSUCCESSFUL = (V1TaskStatus.FAILED, V1TaskStatus.CANCELLED)
JSONMapping = dict[str, Any]


class RunSelection(TypedDict, total=False):
    """Keywords that select runs; see `RunsClient.list`."""

    until: datetime | None
    statuses: Iterable[V1TaskStatus] | None
    additional_metadata: dict[str, str] | None
    workflow_ids: Iterable[str] | None


class BulkSelection(RunSelection, total=False):
    """The same, with the beginning of the range."""

    since: datetime | None


class ListOptions(RunSelection, total=False):
    """Keywords of `list` and `list_with_pagination`."""

    offset: int | None
    limit: int | None
    worker_id: str | None
    parent_task_external_id: str | None
    triggering_event_external_id: str | None
    include_payloads: bool


class RerunOptions(TypedDict, total=False):
    """Keywords of `rerun` besides the input."""

    additional_metadata: JSONMapping | None
    priority: int | None


class RunsClient:
    """Read, cancel and replay runs. Methods named `aio_...` do the same from async code.

    Errors of all methods: `hatchet.clients.rest.exceptions`, such as `NotFoundException`.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _get(self, run_id: str) -> Call[V1WorkflowRunDetails]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/workflow-runs/{run_id}",
            V1WorkflowRunDetails.model_validate_json,
        )

    def get(self, workflow_run_id: str) -> V1WorkflowRunDetails:
        """Everything about one run: its tasks, events and payloads."""
        return self._get(workflow_run_id).send()

    async def aio_get(self, workflow_run_id: str) -> V1WorkflowRunDetails:
        return await self._get(workflow_run_id).aio()

    def _get_status(self, run_id: str) -> Call[V1TaskStatus]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/workflow-runs/{run_id}/status",
            lambda data: V1TaskStatus(orjson.loads(data)),
        )

    def get_status(self, workflow_run_id: str) -> V1TaskStatus:
        """Status of one run."""
        return self._get_status(workflow_run_id).send()

    async def aio_get_status(self, workflow_run_id: str) -> V1TaskStatus:
        return await self._get_status(workflow_run_id).aio()

    def _get_task_run(self, task_run_id: str) -> Call[V1TaskSummary]:
        return self._client.rest.call(
            "GET", f"/api/v1/stable/tasks/{task_run_id}", V1TaskSummary.model_validate_json
        )

    def get_task_run(self, task_run_id: str) -> V1TaskSummary:
        """One task of a run."""
        return self._get_task_run(task_run_id).send()

    async def aio_get_task_run(self, task_run_id: str) -> V1TaskSummary:
        return await self._get_task_run(task_run_id).aio()

    def _why(self, id: str) -> Call[Why]:
        return self._client.rest.call(
            "GET", f"/api/v1/stable/tasks/{id}/why", Why.model_validate_json
        )

    def why(self, id: str) -> Why:
        """Why a run or task waits: what blocks it, its place in the line, what to change.

        `id` may also be that of a scheduled run. Raises `NotFoundException` for an unknown id.

            answer = hatchet.runs.why(ref.workflow_run_id)
            print(answer.message, answer.remedy)
        """
        return self._why(id).send()

    async def aio_why(self, id: str) -> Why:
        return await self._why(id).aio()

    def _list(
        self,
        since: datetime | None = None,
        only_tasks: bool = False,
        offset: int | None = None,
        limit: int | None = None,
        statuses: Iterable[V1TaskStatus] | None = None,
        until: datetime | None = None,
        additional_metadata: dict[str, str] | None = None,
        workflow_ids: Iterable[str] | None = None,
        worker_id: str | None = None,
        parent_task_external_id: str | None = None,
        triggering_event_external_id: str | None = None,
        include_payloads: bool = True,
    ) -> Call[V1TaskSummaryList]:
        now = datetime.now(UTC)
        since = since or now - timedelta(days=1)
        until = until or now
        if _aware(until) - _aware(since) >= LONG_RANGE:
            warnings.warn(
                "listing runs of 7 days or more can be slow: use a smaller range",
                RuntimeWarning,
                stacklevel=3,
            )
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/workflow-runs",
            V1TaskSummaryList.model_validate_json,
            query={
                "since": since,
                "until": until,
                "only_tasks": only_tasks,
                "offset": offset,
                "limit": limit,
                "statuses": statuses,
                "additional_metadata": metadata_pairs(additional_metadata),
                "workflow_ids": workflow_ids,
                "worker_id": worker_id,
                "parent_task_external_id": parent_task_external_id,
                "triggering_event_external_id": triggering_event_external_id,
                "include_payloads": include_payloads,
            },
        )

    def list(
        self, since: datetime | None = None, only_tasks: bool = False, **more: "Unpack[ListOptions]"
    ) -> V1TaskSummaryList:
        """One page of runs, newest first.

        - `since` (one day ago), `until` (now): when they were created
        - `only_tasks`: list tasks instead of runs
        - `statuses`, `workflow_ids`: any of these
        - `additional_metadata`: runs with one of these pairs
        - `worker_id` (of tasks), `parent_task_external_id` (of runs),
          `triggering_event_external_id`: where they run, and what they come from
        - `limit` (50), `offset` (0): the page
        - `include_payloads` (True): with inputs and outputs

            failed = hatchet.runs.list(statuses=[V1TaskStatus.FAILED], limit=10).rows
        """
        return self._list(since, only_tasks, **more).send()

    async def aio_list(
        self, since: datetime | None = None, only_tasks: bool = False, **more: "Unpack[ListOptions]"
    ) -> V1TaskSummaryList:
        return await self._list(since, only_tasks, **more).aio()

    def _create(
        self,
        workflow_name: str,
        input: JSONMapping,
        additional_metadata: JSONMapping | None,
        priority: int | None,
    ) -> Call[V1WorkflowRunDetails]:
        body: JSONMapping = {
            "workflowName": self._client.config.apply_namespace(workflow_name),
            "input": input,
        }
        if additional_metadata is not None:
            body["additionalMetadata"] = additional_metadata
        if priority is not None:
            body["priority"] = priority
        return self._client.rest.call(
            "POST",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/workflow-runs/trigger",
            V1WorkflowRunDetails.model_validate_json,
            body=body,
        )

    def create(
        self,
        workflow_name: str,
        input: JSONMapping,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> V1WorkflowRunDetails:
        """Start a run over REST, by name. A workflow's own `run_no_wait` is much faster."""
        return self._create(workflow_name, input, additional_metadata, priority).send()

    async def aio_create(
        self,
        workflow_name: str,
        input: JSONMapping,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> V1WorkflowRunDetails:
        return await self._create(workflow_name, input, additional_metadata, priority).aio()

    def _change(self, verb: str, opts: BulkCancelReplayOpts, children: bool = False) -> Call[None]:
        body = opts.to_body()
        if children:
            body["includeChildren"] = True
        return self._client.rest.call(
            "POST",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/tasks/{verb}",
            nothing,
            body=body,
        )

    def cancel(self, run_id: str, *, children: bool = False) -> None:
        """Cancel a run or a task. Finished ones stay as they are.

        `children`: also the runs that it has spawned, and theirs; without, they go on.
        """
        self._change("cancel", BulkCancelReplayOpts(ids=[run_id]), children).send()

    async def aio_cancel(self, run_id: str, *, children: bool = False) -> None:
        await self._change("cancel", BulkCancelReplayOpts(ids=[run_id]), children).aio()

    def replay(self, run_id: str) -> None:
        """Run a finished run or task again, with the same input; for another one see `rerun`."""
        self._change("replay", BulkCancelReplayOpts(ids=[run_id])).send()

    async def aio_replay(self, run_id: str) -> None:
        await self._change("replay", BulkCancelReplayOpts(ids=[run_id])).aio()

    def _rerun(
        self, run_id: str, input: JSONMapping | None, options: "RerunOptions"
    ) -> Call[V1WorkflowRunDetails]:
        given = {
            "input": input,
            "additionalMetadata": options.get("additional_metadata"),
            "priority": options.get("priority"),
        }
        return self._client.rest.call(
            "POST",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/workflow-runs/{run_id}/rerun",
            V1WorkflowRunDetails.model_validate_json,
            body={name: value for name, value in given.items() if value is not None},
        )

    def rerun(
        self, run_id: str, input: JSONMapping | None = None, **options: "Unpack[RerunOptions]"
    ) -> V1WorkflowRunDetails:
        """Start a new run of the same workflow, its newest version, with another input.

        What is not given is that of the old run; `additional_metadata` comes on top of its
        metadata, in which `hatchet__rerun_of` tells the id of the old run. That one may still go
        on. Raises `NotFoundException` for an id that is none of a run.

            again = hatchet.runs.rerun(run_id, input={"name": "Ada"})
            hatchet.runs.get_run_ref(again.run.metadata.id).result()
        """
        return self._rerun(run_id, input, options).send()

    async def aio_rerun(
        self, run_id: str, input: JSONMapping | None = None, **options: "Unpack[RerunOptions]"
    ) -> V1WorkflowRunDetails:
        return await self._rerun(run_id, input, options).aio()

    def bulk_cancel(self, opts: BulkCancelReplayOpts, *, children: bool = False) -> None:
        """Cancel many, by ids or by filter; with `children`, what they have spawned as well."""
        self._change("cancel", opts, children).send()

    async def aio_bulk_cancel(self, opts: BulkCancelReplayOpts, *, children: bool = False) -> None:
        await self._change("cancel", opts, children).aio()

    def bulk_replay(self, opts: BulkCancelReplayOpts) -> None:
        """Replay many, by ids or by filter."""
        self._change("replay", opts).send()

    async def aio_bulk_replay(self, opts: BulkCancelReplayOpts) -> None:
        await self._change("replay", opts).aio()

    # ------------------------------------------------------------------ many at once

    def _pages(
        self, since: datetime | None, only_tasks: bool, more: JSONMapping
    ) -> builtins.list[Call[V1TaskSummaryList]]:
        """One call for each UTC day of the range, newest first."""
        end = _aware(more.pop("until", None) or datetime.now(UTC)).astimezone(UTC)
        start = _aware(since).astimezone(UTC) if since else end - timedelta(days=1)
        calls = []
        while end > start:
            midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
            first = midnight if midnight < end else midnight - timedelta(days=1)
            calls.append(self._list(max(first, start), only_tasks, until=end, **more))
            end = first
        return calls

    def list_with_pagination(
        self, since: datetime | None = None, only_tasks: bool = False, **more: "Unpack[ListOptions]"
    ) -> builtins.list[V1TaskSummary]:
        """Runs of a long range, newest first: one request for each day, `limit` applies to each.

        Keywords as for `list`.
        """
        return _merge([call.send() for call in self._pages(since, only_tasks, {**more})])

    async def aio_list_with_pagination(
        self, since: datetime | None = None, only_tasks: bool = False, **more: "Unpack[ListOptions]"
    ) -> builtins.list[V1TaskSummary]:
        return _merge([await call.aio() for call in self._pages(since, only_tasks, {**more})])

    def _external_ids(
        self,
        default_statuses: Iterable[V1TaskStatus],
        since: datetime | None = None,
        until: datetime | None = None,
        statuses: Iterable[V1TaskStatus] | None = None,
        additional_metadata: dict[str, str] | None = None,
        workflow_ids: Iterable[str] | None = None,
    ) -> Call[builtins.list[str]]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/workflow-runs/external-ids",
            lambda data: orjson.loads(data) or [],
            query={
                "since": since or datetime.now(UTC) - timedelta(days=1),
                "until": until or datetime.now(UTC),
                "statuses": statuses or default_statuses,
                "additional_metadata": metadata_pairs(additional_metadata),
                "workflow_ids": workflow_ids,
            },
        )

    def bulk_cancel_by_filters_with_pagination(
        self,
        sleep_time: float = 3,
        chunk_size: int = 500,
        *,
        children: bool = False,
        **which: "Unpack[BulkSelection]",
    ) -> None:
        """Cancel all runs that match, `chunk_size` at a time with `sleep_time` seconds between.

        `which` as for `list`; default: queued and running ones of the last day. `children`: also
        what they have spawned.
        """
        found = self._external_ids(UNFINISHED, **which)
        self._change_all("cancel", sleep_time, chunk_size, found, children)

    async def aio_bulk_cancel_by_filters_with_pagination(
        self,
        sleep_time: float = 3,
        chunk_size: int = 500,
        *,
        children: bool = False,
        **which: "Unpack[BulkSelection]",
    ) -> None:
        found = self._external_ids(UNFINISHED, **which)
        await self._aio_change_all("cancel", sleep_time, chunk_size, found, children)

    def bulk_replay_by_filters_with_pagination(
        self, sleep_time: float = 3, chunk_size: int = 500, **which: "Unpack[BulkSelection]"
    ) -> None:
        """Like cancelling them; default: failed and cancelled ones of the last day."""
        found = self._external_ids(UNSUCCESSFUL, **which)
        self._change_all("replay", sleep_time, chunk_size, found)

    async def aio_bulk_replay_by_filters_with_pagination(
        self, sleep_time: float = 3, chunk_size: int = 500, **which: "Unpack[BulkSelection]"
    ) -> None:
        found = self._external_ids(UNSUCCESSFUL, **which)
        await self._aio_change_all("replay", sleep_time, chunk_size, found)

    def _change_all(
        self,
        verb: str,
        pause_s: float,
        chunk_size: int,
        found: Call[builtins.list[str]],
        children: bool = False,
    ) -> None:
        for number, chunk in enumerate(_chunks(found.send(), chunk_size)):
            if number:
                time.sleep(pause_s)  # what the caller has asked for, to spare the server
            self._change(verb, BulkCancelReplayOpts(ids=chunk), children).send()

    async def _aio_change_all(
        self,
        verb: str,
        pause_s: float,
        chunk_size: int,
        found: Call[builtins.list[str]],
        children: bool = False,
    ) -> None:
        for number, chunk in enumerate(_chunks(await found.aio(), chunk_size)):
            if number:
                await asyncio.sleep(pause_s)
            await self._change(verb, BulkCancelReplayOpts(ids=chunk), children).aio()

    # ------------------------------------------------------------------ details and results

    def get_details(self, external_id: str) -> WorkflowRunDetail:
        """State of a run and of its tasks, over gRPC. Raises `HatchetCallError` (NOT_FOUND)."""
        answer = self._client.session.unary_sync(DETAILS_PATH, {"external_id": external_id})
        return _details(external_id, answer)

    async def aio_get_details(self, external_id: str) -> WorkflowRunDetail:
        answer = await self._client.session.unary(DETAILS_PATH, {"external_id": external_id})
        return _details(external_id, answer)

    def get_result(self, run_id: str) -> JSONMapping:
        """The output stored for a run, as it is now."""
        return self.get(run_id).run.output

    async def aio_get_result(self, run_id: str) -> JSONMapping:
        return (await self.aio_get(run_id)).run.output

    async def subscribe_to_stream(self, workflow_run_id: str) -> AsyncIterator[str]:
        """The chunks that tasks of a run put into its stream, in order, until the run ends.

        If the connection breaks, it goes on with the next chunk. Raises `HatchetCallError`
        (NOT_FOUND) for an unknown run, `EngineUnavailableError` if the engine stays away.

            ref = await write_story.aio_run_no_wait(topic)
            async for chunk in hatchet.runs.subscribe_to_stream(ref.workflow_run_id):
                print(chunk, end="")
        """
        from hatchet._run.events import STREAM

        feed = self._client.session.subscribe_events(text(raw(workflow_run_id)), None)
        try:
            while events := await feed.aio_take():
                for event in events:
                    if event.event_type == STREAM:
                        yield event.payload
        finally:
            feed.close()

    def get_run_ref(self, workflow_run_id: str) -> WorkflowRunRef:
        """A reference to a run, to wait for it."""
        return WorkflowRunRef(workflow_run_id, self._client, known=False)


def _chunks(ids: list[str], size: int) -> Iterator[list[str]]:
    if size < 1:
        raise ValueError(f"chunk_size must be at least 1, not {size}")
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _merge(pages: Iterable[V1TaskSummaryList]) -> list[V1TaskSummary]:
    """All rows once, newest first."""
    rows = {row.metadata.id: row for page in pages for row in page.rows}
    return sorted(rows.values(), key=lambda row: row.created_at, reverse=True)


def _details(external_id: str, answer: Any) -> WorkflowRunDetail:
    return WorkflowRunDetail(
        external_id=external_id,
        status=RunStatus.from_proto(answer.status),
        input=orjson.loads(answer.input or b"{}"),
        additional_metadata=orjson.loads(answer.additional_metadata or b"{}"),
        done=answer.done,
        task_runs={
            name: TaskRunDetail(
                external_id=task.external_id,
                readable_id=task.readable_id,
                status=RunStatus.from_proto(task.status).to_v1_task_status(),
                output=orjson.loads(task.output) if task.output else None,
                error=task.error or None,
                is_evicted=task.is_evicted,
            )
            for name, task in answer.task_runs.items()
        },
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
