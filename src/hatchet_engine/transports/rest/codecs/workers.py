"""Workers as the API shows them: the row, plus what the engine knows of the living one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hatchet_engine.observe.times import from_ms, to_ms
from hatchet_engine.observe.workers import WorkerRow
from hatchet_engine.transports.rest.codecs.common import meta
from hatchet_engine.transports.rest.engine_api import WorkerLive
from hatchet_engine.transports.rest.schemas.common import ZERO_UUID
from hatchet_engine.transports.rest.schemas.workers import (
    RegisteredWorkflow,
    Worker,
    WorkerLabel,
    WorkerRuntimeInfo,
    WorkerRuntimeSDKs,
    WorkerSlotConfig,
    WorkerStatus,
    WorkerType,
)

ACTIVE_AFTER_HEARTBEAT_MS = 5_000
_SDKS = {"GO": WorkerRuntimeSDKs.GOLANG, **{sdk.value: sdk for sdk in WorkerRuntimeSDKs}}


def worker(
    row: WorkerRow,
    live: WorkerLive | None,
    now_ms: int,
    workflows: Sequence[tuple[UUID, str]] | None = None,
) -> Worker:
    """``workflows``: ids and names of those it serves, shown by the endpoints for one worker."""
    heartbeat_ms = _heartbeat_ms(row, live)
    shown = Worker(
        metadata=meta(row.id, row.created_at),
        name=row.name,
        type=WorkerType.SELFHOSTED,
        last_heartbeat_at=None if heartbeat_ms is None else from_ms(heartbeat_ms),
        last_listener_established=row.stream_opened_at,
        actions=row.actions,
        status=_status(row, live, heartbeat_ms, now_ms),
        slot_config=_slots(row, live),
        labels=_labels(row),
        runtime_info=_runtime(row.runtime),
    )
    if workflows is not None:
        shown.registered_workflows = [
            RegisteredWorkflow(id=str(key), name=name) for key, name in workflows
        ]
        shown.recent_step_runs = []
    return shown


def _heartbeat_ms(row: WorkerRow, live: WorkerLive | None) -> int | None:
    stored = None if row.last_heartbeat_at is None else to_ms(row.last_heartbeat_at)
    heard = None if live is None else live.last_heartbeat_ms
    return max((at_ms for at_ms in (stored, heard) if at_ms is not None), default=None)


def _status(
    row: WorkerRow, live: WorkerLive | None, heartbeat_ms: int | None, now_ms: int
) -> WorkerStatus:
    """Active is what can get work: its stream is open (WK-4) and its heartbeat is young. Both
    win over paused (WK-5)."""
    silent = heartbeat_ms is None or now_ms - heartbeat_ms > ACTIVE_AFTER_HEARTBEAT_MS
    listening = row.stream_opened_at is not None if live is None else live.listening
    if silent or not listening or row.left_at is not None:
        return WorkerStatus.INACTIVE
    return WorkerStatus.PAUSED if row.paused else WorkerStatus.ACTIVE


def _slots(row: WorkerRow, live: WorkerLive | None) -> dict[str, WorkerSlotConfig] | None:
    if not row.slots:
        return None
    free = live.free if live is not None else {}
    return {
        kind: WorkerSlotConfig(available=free.get(kind, 0 if live is None else limit), limit=limit)
        for kind, limit in row.slots.items()
    }


def _labels(row: WorkerRow) -> list[WorkerLabel]:
    # Labels have no row of their own, hence no id.
    zero = meta(UUID(ZERO_UUID), row.created_at)
    return [
        WorkerLabel(metadata=zero, key=key, value=str(value)) for key, value in row.labels.items()
    ]


def _runtime(runtime: dict[str, Any]) -> WorkerRuntimeInfo | None:
    if not runtime:
        return None
    language = runtime.get("language")
    return WorkerRuntimeInfo(
        sdk_version=_text(runtime.get("sdk_version")),
        language=_SDKS.get(str(language).upper()) if language is not None else None,
        language_version=_text(runtime.get("language_version")),
        os=_text(runtime.get("os")),
        runtime_extra=_text(runtime.get("extra")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
