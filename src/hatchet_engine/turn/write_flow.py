"""Rows of flow control in a plan: who is parked, who holds which place, what limits are left."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.demand import text_of
from hatchet_engine.store import lines, pauses, rates
from hatchet_engine.store.batch import Batch
from hatchet_engine.turn.plan import Plan, Row
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.times import from_ms
from hatchet_engine.turn.waiting import WHOLE_RUN

GROUPS_MAX = 4  # as in :mod:`hatchet_engine.turn.write`


def write_flow_control(batch: Batch, plan: Plan) -> None:
    """Lines, concurrency places, rate limits and pauses."""
    if plan.parked:
        _write_parked(batch, list(plan.parked.values()))
    by_tenant: dict[UUID, list[Row]] = {}
    for of_holder in plan.places.values():
        for tenant_id, row in of_holder:
            by_tenant.setdefault(tenant_id, []).append(row)
    for tenant_id, rows in by_tenant.items():
        lines.place_insert_many(batch, tenant_id, plan.now_ms, rows)
    if plan.buckets:
        _write_buckets(batch, plan)
    if plan.pauses:
        _write_pauses(batch, plan)


def _write_pauses(batch: Batch, plan: Plan) -> None:
    ended = [key for key, thing in plan.pauses.items() if thing is None]
    if ended:
        pauses.delete_many(batch, ended)
    rows = [
        (
            thing.tenant_id,
            thing.kind.value,
            thing.target,
            thing.since_ms,
            thing.until_ms,
            thing.by,
            thing.reason,
            thing.queue_ttl_ms,
            thing.drop_crons,
            thing.drop_scheduled,
        )
        for thing in plan.pauses.values()
        if thing is not None
    ]
    if rows:
        pauses.put_many(batch, rows)


def _write_buckets(batch: Batch, plan: Plan) -> None:
    gone = [(bucket.tenant_id, bucket.key) for bucket in plan.buckets if bucket.gone]
    rows = [
        (
            bucket.tenant_id,
            bucket.key,
            bucket.meter.limit,
            bucket.meter.window,
            bucket.meter.remaining,
            bucket.meter.began_ms,
        )
        for bucket in plan.buckets
        if not bucket.gone
    ]
    if gone:
        rates.delete_many(batch, gone)
    if rows:
        rates.put_many(batch, rows, from_ms(plan.now_ms))


def _write_parked(batch: Batch, items: list[Queued]) -> None:
    fresh: dict[Row, list[Row]] = {}
    special: list[Row] = []
    for item in items:
        item.shelved = True
        step = item.step
        if item.attempt or item.whole or step.version.several or item.line is None:
            special.append(_parked_row(item))
        else:
            times = (item.queued_ms, item.schedule_timeout_ms)
            common = (item.rank, item.tenant_id, step.version.id, step.index, *times)
            row = (item.line.id, item.task_id, text_of(item.demand))
            fresh.setdefault(common, []).append(row)
    if len(fresh) > GROUPS_MAX:
        special = [_parked_row(item) for item in items]
        fresh = {}
    for common, rows in fresh.items():
        lines.parked_insert_fresh(batch, common, rows)
    if special:
        lines.parked_insert_many(batch, special)


def _parked_row(item: Queued) -> Row:
    step = item.step
    assert item.line is not None
    return (
        item.line.id,
        item.rank,
        item.task_id,
        item.tenant_id,
        step.version.id,
        WHOLE_RUN if item.whole else step.index,
        item.attempt,
        item.app_retries,
        item.internal_retries,
        item.queued_ms,
        item.schedule_timeout_ms,
        text_of(item.demand),
        item.run_id if step.version.several else None,
    )
