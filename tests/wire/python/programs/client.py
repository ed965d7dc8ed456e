"""A client that stays: it makes the calls it is given on standard input, many at a time."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from hatchet_sdk import PushEventOptions, TriggerWorkflowOptions
from hatchet_sdk.clients.rest.models.v1_task_status import V1TaskStatus
from hatchet_sdk.features.runs import BulkCancelReplayOpts
from hatchet_sdk.rate_limit import RateLimitDuration
from pydantic import BaseModel
from sets import TASKS
from tasks import Job, hatchet

OLD = int(version("hatchet-sdk").split(".")[1]) < 30

calls: dict[str, Callable[..., Awaitable[Any]]] = {}


def call(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    calls[function.__name__] = function
    return function


def options(metadata: dict[str, str] | None, priority: int | None) -> dict[str, Any]:
    """Metadata and priority as each version of the SDK takes them."""
    if OLD:
        given = TriggerWorkflowOptions(additional_metadata=metadata or {}, priority=priority)
        return {"options": given}
    return {"additional_metadata": metadata, "priority": priority}


def plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


# --- triggering ---------------------------------------------------------------------------------


@call
async def run(
    task: str,
    input: Any,
    metadata: Any = None,
    priority: int | None = None,
    labels: dict[str, Any] | None = None,
) -> Any:
    """`labels`: those that the worker should have; not with the old version."""
    given = options(metadata, priority)
    if labels:
        from hatchet_sdk import DesiredWorkerLabel

        wishes = [DesiredWorkerLabel(key=key, **label) for key, label in labels.items()]
        given["desired_worker_labels"] = wishes
    return plain(await TASKS[task].aio_run(Job(**input), **given))


@call
async def start(task: str, input: Any, metadata: Any = None, priority: int | None = None) -> str:
    ref = await TASKS[task].aio_run_no_wait(Job(**input), **options(metadata, priority))
    return ref.workflow_run_id


@call
async def run_many(task: str, inputs: list[Any], metadata: Any = None) -> list[Any]:
    items = [
        TASKS[task].create_bulk_run_item(Job(**one), **options(metadata, None)) for one in inputs
    ]
    return [plain(output) for output in await TASKS[task].aio_run_many(items)]


@call
async def run_many_with_failures(task: str, inputs: list[Any]) -> list[Any]:
    items = [TASKS[task].create_bulk_run_item(Job(**one)) for one in inputs]
    found = await TASKS[task].aio_run_many(items, return_exceptions=True)
    return [{"error": str(one)} if isinstance(one, Exception) else plain(one) for one in found]


@call
async def run_sync(task: str, input: Any) -> Any:
    """The blocking way, which asks for the result once a second."""
    return plain(await asyncio.to_thread(TASKS[task].run, Job(**input)))


@call
async def run_many_sync(task: str, inputs: list[Any]) -> list[Any]:
    items = [TASKS[task].create_bulk_run_item(Job(**one)) for one in inputs]
    return [plain(output) for output in await asyncio.to_thread(TASKS[task].run_many, items)]


@call
async def result(run_id: str) -> Any:
    """Wait for the result of a run that has been triggered before."""
    return await hatchet.runs.get_run_ref(run_id).aio_result()


@call
async def result_sync(run_id: str) -> Any:
    return await asyncio.to_thread(hatchet.runs.get_run_ref(run_id).result)


@call
async def create(workflow: str, input: Any, metadata: Any = None) -> str:
    """Trigger over REST, by name."""
    details = await hatchet.runs.aio_create(workflow, input, additional_metadata=metadata)
    return details.run.metadata.id


# --- events and streams -------------------------------------------------------------------------


@call
async def push(
    event: str, payload: Any, scope: str | None = None, metadata: dict[str, str] | None = None
) -> str:
    options = PushEventOptions(scope=scope, additional_metadata=metadata or {})
    pushed = await hatchet.event.aio_push(event, payload, options=options)
    return pushed.eventId if OLD else pushed.event_id


@call
async def subscribe(run_id: str) -> list[str]:
    """All pieces of a run's stream, each of which is also printed when it comes."""
    pieces = []
    async for piece in hatchet.runs.subscribe_to_stream(run_id):
        say("piece", {"run_id": run_id, "piece": piece})
        pieces.append(piece)
    return pieces


# --- runs ---------------------------------------------------------------------------------------


@call
async def get(run_id: str) -> Any:
    details = await hatchet.runs.aio_get(run_id)
    return {
        "status": details.run.status.value,
        "output": details.run.output,
        "error": details.run.error_message,
        "input": details.run.input,
        "metadata": details.run.additional_metadata,
        "name": details.run.display_name,
        "started": details.run.started_at is not None,
        "tasks": [
            {
                "id": task.task_external_id,
                "status": task.status.value,
                "retry_count": task.retry_count,
                "error": task.error_message,
                "output": task.output,
            }
            for task in details.tasks
        ],
    }


@call
async def get_status(run_id: str) -> str:
    return (await hatchet.runs.aio_get_status(run_id)).value


@call
async def get_result(run_id: str) -> Any:
    return await hatchet.runs.aio_get_result(run_id)


@call
async def get_details(run_id: str) -> Any:
    details = await asyncio.to_thread(hatchet.runs.get_details, run_id)
    return {
        "status": details.status.value,
        "done": details.done,
        "input": details.input,
        "metadata": details.additional_metadata,
        "tasks": {
            name: {"output": task.output, "error": task.error}
            for name, task in details.task_runs.items()
        },
    }


@call
async def list_runs(
    metadata: dict[str, str] | None = None,
    statuses: list[str] | None = None,
    workflow_ids: list[str] | None = None,
    limit: int | None = None,
    offset: int | None = None,
    only_tasks: bool = False,
) -> list[Any]:
    found = await hatchet.runs.aio_list(
        additional_metadata=metadata,
        statuses=[V1TaskStatus(status) for status in statuses] if statuses else None,
        workflow_ids=workflow_ids,
        limit=limit,
        offset=offset,
        only_tasks=only_tasks,
    )
    return [
        {"id": row.workflow_run_external_id, "status": row.status.value, "output": row.output}
        for row in found.rows
    ]


@call
async def get_task_run(run_id: str) -> Any:
    task = await hatchet.runs.aio_get_task_run(run_id)
    return {"status": task.status.value, "retry_count": task.retry_count, "output": task.output}


@call
async def cancel(run_id: str) -> None:
    await hatchet.runs.aio_cancel(run_id)


@call
async def cancel_many(run_ids: list[str]) -> None:
    await hatchet.runs.aio_bulk_cancel(BulkCancelReplayOpts(ids=run_ids))


@call
async def replay(run_id: str) -> None:
    await hatchet.runs.aio_replay(run_id)


@call
async def logs(run_id: str) -> list[Any]:
    found = await hatchet.logs.aio_list(run_id)
    return [{"message": line.message, "attempt": line.attempt} for line in found.rows or []]


# --- workers and workflows ----------------------------------------------------------------------


@call
async def workers() -> list[Any]:
    found = await hatchet.workers.aio_list()
    return [
        {"id": worker.metadata.id, "name": worker.name, "status": worker.status}
        for worker in found.rows or []
    ]


@call
async def worker(worker_id: str) -> Any:
    return (await hatchet.workers.aio_get(worker_id)).model_dump(mode="json")


@call
async def pause_worker(worker_id: str) -> str | None:
    return (await hatchet.workers.aio_pause(worker_id)).status


@call
async def unpause_worker(worker_id: str) -> str | None:
    return (await hatchet.workers.aio_unpause(worker_id)).status


@call
async def workflows(name: str | None = None) -> list[Any]:
    found = await hatchet.workflows.aio_list(workflow_name=name)
    return [{"id": one.metadata.id, "name": one.name} for one in found.rows or []]


@call
async def workflow(workflow_id: str) -> Any:
    found = await hatchet.workflows.aio_get(workflow_id)
    version_found = await hatchet.workflows.aio_get_version(workflow_id)
    return {
        "id": found.metadata.id,
        "name": found.name,
        "versions": len(found.versions or []),
        "version_workflow_id": version_found.workflow_id,
        "has_config": bool(version_found.workflow_config),
    }


@call
async def pause_workflow(workflow_id: str, queue_ttl_s: float) -> bool | None:
    ttl = timedelta(seconds=queue_ttl_s)
    return (await hatchet.workflows.aio_pause(workflow_id, queue_ttl=ttl)).is_paused


@call
async def unpause_workflow(workflow_id: str) -> bool | None:
    return (await hatchet.workflows.aio_unpause(workflow_id)).is_paused


@call
async def put_rate_limit(limit_key: str, limit: int) -> None:
    await hatchet.rate_limits.aio_put(limit_key, limit, RateLimitDuration.SECOND)


@call
async def pause_rate_limit(limit_key: str, seconds: float) -> float:
    """For how many seconds it is paused now."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    paused_until = await hatchet.rate_limits.aio_pause(limit_key, until)
    return (paused_until - datetime.now(UTC)).total_seconds()


@call
async def rate_limits(search: str) -> list[Any]:
    found = await hatchet.rate_limits.aio_list(search=search)
    return [
        {"key": row.key, "limit": row.limit_value, "value": row.value, "window": row.window}
        for row in found.rows or []
    ]


@call
async def task_stats() -> Any:
    found = await hatchet.metrics.aio_get_task_stats()
    return {name: stat.model_dump(mode="json") for name, stat in found.items()}


@call
async def queue_metrics() -> Any:
    return await hatchet.metrics.aio_get_queue_metrics()


# --- talking with the tests -----------------------------------------------------------------------


def say(kind: str, content: Any) -> None:
    # In one piece: the SDK writes from other threads.
    sys.stdout.write(f"{kind} {json.dumps(content)}\n")
    sys.stdout.flush()


async def answer(request: Any) -> None:
    try:
        reply = {"result": await calls[request["call"]](**request["arguments"])}
    except Exception as error:
        reply = {"error": {"kind": type(error).__name__, "text": str(error)}}
    say("reply", {"id": request["id"], **reply})


async def main() -> None:
    loop, busy = asyncio.get_running_loop(), set()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("client is ready", flush=True)
    while line := await reader.readline():
        task = asyncio.create_task(answer(json.loads(line)))
        busy.add(task)
        task.add_done_callback(busy.discard)


if __name__ == "__main__":
    asyncio.run(main())
