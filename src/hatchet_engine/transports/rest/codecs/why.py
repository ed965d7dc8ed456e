"""Answers to "why does it not run?" as JSON."""

from __future__ import annotations

from datetime import datetime

from hatchet_engine.domain import why as domain
from hatchet_engine.observe.times import from_ms
from hatchet_engine.transports.rest.codecs.common import optional
from hatchet_engine.transports.rest.schemas import why as schema
from hatchet_engine.transports.rest.schemas.runs import V1TaskStatus


def answer_of(answer: domain.Answer) -> schema.Why:
    place = answer.place
    return schema.Why(
        task=optional(answer.task_id),
        run=str(answer.run_id),
        state=V1TaskStatus(answer.status.name),
        since=_time(answer.since_ms),
        message=answer.message,
        blockers=[_blocker(blocker) for blocker in answer.blockers],
        place=None
        if place is None
        else schema.WhyPlace(of=place.of, position=place.position, more=place.more),
        remedy=answer.remedy or None,
        times_out_at=_time(answer.times_out_ms),
        partial=answer.partial or None,
        tasks_left_out=answer.tasks_left_out,
    )


def _blocker(one: domain.Blocker) -> schema.WhyBlocker:
    return schema.WhyBlocker(
        kind=one.kind,
        message=one.message,
        remedy=one.remedy or None,
        task=optional(one.task_id),
        task_name=one.task,
        action=one.action,
        workers=[_worker(worker) for worker in one.workers] or None,
        workers_total=one.workers_total,
        labels=[
            schema.WhyLabel(key=miss.key, wanted=miss.wanted, offered=miss.offered)
            for miss in one.labels
        ]
        or None,
        slots=None if one.slots is None else dict(one.slots),
        key=one.key,
        line=one.line,
        limit=one.limit,
        used=one.used,
        needed=one.needed,
        holders=[
            schema.WhyHolder(
                id=str(holder.id), workflow=holder.workflow, since=_time(holder.since_ms)
            )
            for holder in one.holders
        ]
        or None,
        since=_time(one.since_ms),
        until=_time(one.until_ms),
        by=one.by,
        reason=one.reason,
        attempt=one.attempt,
        attempts=one.attempts,
        parents=[
            schema.WhyParent(
                task=str(parent.task_id),
                name=parent.name,
                status=V1TaskStatus(parent.status.name),
            )
            for parent in one.parents
        ]
        or None,
        conditions=[
            schema.WhyCondition(
                group=wait.group,
                due_at=_time(wait.due_ms),
                event_key=wait.event_key,
                scope=wait.scope,
                expression=wait.expression or None,
                met=wait.met,
            )
            for wait in one.conditions
        ]
        or None,
    )


def _worker(worker: domain.WorkerUse) -> schema.WhyWorker:
    return schema.WhyWorker(
        id=str(worker.id),
        name=worker.name,
        state=worker.state,
        slots=dict(worker.slots),
        free=dict(worker.free),
        tasks=[
            schema.WhyTaskOnWorker(
                task=str(task.task_id), name=task.name, since=from_ms(task.since_ms)
            )
            for task in worker.tasks
        ],
        tasks_total=worker.tasks_total,
    )


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
