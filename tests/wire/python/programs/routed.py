"""Sticky workflows and labels, with the official SDK alone; each task tells where it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flows import OLD
from hatchet_sdk import Context, StickyStrategy, TriggerWorkflowOptions
from hatchet_sdk.labels import DesiredWorkerLabel
from pydantic import BaseModel
from tasks import Job, hatchet

HOSTS = ("left", "right")  # the workers of this set; each has its name as its label `host`


class Place(BaseModel):
    worker: str
    host: str = ""


def place(ctx: Context) -> Place:
    labels = ctx.worker.labels() if OLD else ctx.worker_labels
    return Place(worker=worker_id(ctx), host=str(labels.get("host", "")))


def worker_id(ctx: Context) -> Any:
    return ctx.worker.id() if OLD else ctx.worker_id


@hatchet.task(name="where", input_validator=Job)
async def where(job: Job, ctx: Context) -> Place:
    return place(ctx)


def wish(value: str | int, **more: Any) -> Any:
    """Labels as each version of the SDK takes them."""
    key = more.pop("key")
    if OLD:
        return {key: DesiredWorkerLabel(value=value, **more)}
    return [DesiredWorkerLabel(key=key, value=value, **more)]


@hatchet.task(
    name="on-right",
    input_validator=Job,
    desired_worker_labels=wish("right", key="host", required=True),
)
async def on_right(job: Job, ctx: Context) -> Place:
    return place(ctx)


@hatchet.task(
    name="in-mood",
    input_validator=Job,
    schedule_timeout=timedelta(seconds=60),
    desired_worker_labels=wish(7, key="mood", required=True, comparator=3),  # at least
)
async def in_mood(job: Job, ctx: Context) -> Place:
    return place(ctx)


@hatchet.task(name="cheer-up", input_validator=Job)
async def cheer_up(job: Job, ctx: Context) -> Place:
    upsert = ctx.worker.async_upsert_labels if OLD else ctx.aio_upsert_worker_labels
    await upsert({"mood": job.number})
    return place(ctx)


@hatchet.task(name="stay-soft", input_validator=Job, sticky=StickyStrategy.SOFT)
async def stay_soft(job: Job, ctx: Context) -> Place:
    return place(ctx)


@hatchet.task(name="stay-hard", input_validator=Job, sticky=StickyStrategy.HARD)
async def stay_hard(job: Job, ctx: Context) -> Place:
    return place(ctx)


@hatchet.task(name="stay-parent", input_validator=Job)
async def stay_parent(job: Job, ctx: Context) -> dict[str, Any]:
    options: dict[str, Any] = {"options": TriggerWorkflowOptions(sticky=True)}
    if not OLD:
        options = {"sticky": True}
    children = [stay_soft, stay_hard] * 3
    places = [await child.aio_run(job, **options) for child in children]
    return {"worker": worker_id(ctx), "children": [one.worker for one in places]}


together = hatchet.workflow(name="together", input_validator=Job, sticky=StickyStrategy.HARD)


@together.task()
async def first(job: Job, ctx: Context) -> Place:
    return place(ctx)


@together.task(parents=[first])
async def second(job: Job, ctx: Context) -> Place:
    return place(ctx)


ROUTED: dict[str, Any] = {
    "where": where,
    "on-right": on_right,
    "in-mood": in_mood,
    "cheer-up": cheer_up,
    "stay-soft": stay_soft,
    "stay-hard": stay_hard,
    "stay-parent": stay_parent,
    "together": together,
}
