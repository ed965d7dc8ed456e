"""Cancelling and replaying by filter: at once when few runs match, else as a bulk operation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import orjson

from hatchet_engine.domain.states import Status
from hatchet_engine.observe import runs
from hatchet_engine.observe.bulk import BulkRow, bulk_get
from hatchet_engine.observe.run_query import RunQuery
from hatchet_engine.observe.times import from_ms, to_ms
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import strict_pairs_of
from hatchet_engine.transports.rest.schemas.runs import (
    BulkOperation,
    BulkOperationKind,
    V1TaskFilter,
    V1TaskStatus,
)
from hatchet_engine.transports.rest.scope import Scope
from hatchet_engine.turn.commands import RunFilter, StartBulk
from hatchet_engine.turn.state import Limits

_LIMITS = Limits()
AT_ONCE_MAX = {
    BulkOperationKind.CANCEL: _LIMITS.cancel_ids_max,
    BulkOperationKind.REPLAY: _LIMITS.replay_ids_max,
}


def filter_of(selection: V1TaskFilter) -> RunFilter:
    """A filter as sent, checked. Raises ``Refused`` for metadata that is no pair."""
    return RunFilter(
        since_ms=to_ms(selection.since),
        until_ms=None if selection.until is None else to_ms(selection.until),
        statuses=[Status[status.value] for status in selection.statuses or ()],
        workflow_ids=selection.workflow_ids or (),
        metadata=strict_pairs_of(selection.additional_metadata, "additionalMetadata"),
    )


def filter_shown(text: str) -> V1TaskFilter:
    """A stored filter as it is sent; `until` is the time at which the operation began, at most."""
    stored = orjson.loads(text)
    return V1TaskFilter(
        since=from_ms(stored["since_ms"]),
        until=from_ms(stored["until_ms"]),
        statuses=[V1TaskStatus(Status(status).name) for status in stored["statuses"]] or None,
        workflow_ids=stored["workflow_ids"] or None,
        additional_metadata=[f"{key}:{value}" for key, value in stored["metadata"]] or None,
    )


async def too_many(scope: Scope, kind: BulkOperationKind, selection: RunFilter) -> bool:
    """Whether a filter selects more runs than one call takes."""
    most = AT_ONCE_MAX[kind]
    query = RunQuery(
        tenant_id=scope.tenant_id,
        since=from_ms(selection.since_ms),
        until=_until(selection),
        statuses=[Status(status) for status in selection.statuses],
        workflow_ids=selection.workflow_ids,
        metadata=selection.metadata,
    )
    return await runs.run_count(scope.engine.read_pool, query, most + 1) > most


async def start(
    scope: Scope,
    kind: BulkOperationKind,
    selection: RunFilter,
    reason: str | None = None,
    *,
    children: bool = False,
) -> BulkOperation:
    """Begin a bulk operation; answers how far it is."""
    command = StartBulk(scope.tenant_id, kind.value, selection, children=children)
    if reason is not None:
        command = replace(command, reason=reason)
    progress = await scope.engine.submit(command)
    return await get(scope, progress.id)


async def get(scope: Scope, id: UUID) -> BulkOperation:
    """Raises ``Refused`` NOT_FOUND."""
    row = await bulk_get(scope.engine.read_pool, scope.tenant_id, id)
    if row is None:
        raise not_found(f"bulk operation {id}")
    return shown(row)


def shown(row: BulkRow) -> BulkOperation:
    return BulkOperation(
        id=str(row.id),
        kind=BulkOperationKind(row.kind),
        filter=filter_shown(row.filter),
        include_children=row.children,
        reason=row.reason if row.kind == BulkOperationKind.CANCEL else None,
        total=row.total,
        done=row.done,
        changed=row.changed,
        created_at=row.created_at,
        finished_at=row.finished_at,
        error=row.error,
    )


def _until(selection: RunFilter) -> datetime | None:
    return None if selection.until_ms is None else from_ms(selection.until_ms)
