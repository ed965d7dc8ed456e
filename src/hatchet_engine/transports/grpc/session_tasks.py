"""Rare requests of a session about one running task."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import invalid
from hatchet_engine.transports.grpc.codecs.ids import id_of_bytes
from hatchet_engine.turn.commands import Command, RefreshTimeout, ReleaseSlot
from hatchet_protocol import session


def task_command(tenant_id: UUID, request: session.TaskRequest) -> Command[Any]:
    """Raises ``Refused`` naming the field."""
    task_id = id_of_bytes(request.task_id, "task_requests.task_id")
    kind = request.WhichOneof("request")
    if kind == "extend_timeout_ms":
        if not 1 <= request.extend_timeout_ms <= MAX_MS:
            raise invalid("extend_timeout_ms: must be at least 1", field="extend_timeout_ms")
        return RefreshTimeout(tenant_id, task_id, request.extend_timeout_ms)
    if kind == "release_slot":
        return ReleaseSlot(tenant_id, task_id)
    raise invalid("task_requests: needs extend_timeout_ms or release_slot")


def task_reply(request_id: int, result: int | None) -> session.TaskReply:
    """``result``: the new deadline of a task whose timeout was extended."""
    return session.TaskReply(request_id=request_id, timeout_at_ms=result or 0)
