"""AssignedAction: what the engine sends down a worker's stream (B5.1, B5.6, B6).

This runs once per task. Payloads are joined from the stored texts, never parsed and written again:
that is faster, and big numbers and key order survive.
"""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

import orjson

from hatchet_engine.transports.grpc.codecs.context import NO_CONTEXT, context_members
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice
from hatchet_protocol.dispatcher import ActionType, AssignedAction
from hatchet_protocol.times import set_timestamp

_START = int(ActionType.START_STEP_RUN)
_START_BATCH = int(ActionType.START_BATCH)
_CANCEL = int(ActionType.CANCEL_STEP_RUN)
_END = ',"user_data":null,"overrides":null}'


# Ids of definitions and tenants repeat from task to task; those of tasks do not.
@lru_cache(10_000)
def _repeated(id: UUID) -> str:
    return str(id)


def start_payload(assigned: Assigned) -> str:
    """The JSON object that holds the input and what the run knows besides (B5.1)."""
    context = assigned.context
    return (
        '{"input":'
        + (assigned.input or "{}")
        + ',"triggered_by":"manual",'
        + (context_members(context) if context else NO_CONTEXT)
        + _END
    )


EVENT_ID, EVENT_KEY = "hatchet__event_id", "hatchet__event_key"


def start_action(assigned: Assigned) -> AssignedAction:
    """START_STEP_RUN."""
    task_id = str(assigned.task_id)
    run_id = assigned.run_id
    step_id = _repeated(assigned.step_id)
    name = assigned.task_name
    action = AssignedAction(
        tenant_id=_repeated(assigned.tenant_id),
        workflow_run_id=task_id if run_id == assigned.task_id else str(run_id),
        job_id=step_id,
        job_name=name,
        job_run_id=task_id,
        task_id=step_id,
        task_run_external_id=task_id,
        action_id=assigned.action,
        action_type=_START,
        action_payload=start_payload(assigned),
        task_name=name,
        retry_count=assigned.attempt,
        priority=assigned.priority,
        workflow_id=_repeated(assigned.workflow_id),
        workflow_version_id=_repeated(assigned.version_id),
    )
    metadata = assigned.metadata
    # Anything but an object here turns Python workers deaf (E2, hazard 1).
    if metadata and (metadata[0] == "{" or metadata.lstrip()[:1] == "{"):
        action.additional_metadata = metadata
        if EVENT_ID in metadata:
            _set_event(action, metadata)
    if assigned.parent_task_id is not None:
        _set_parent(action, assigned.parent_task_id, assigned.child_index, assigned.child_key)
    return action


def batch_action(batch: AssignedBatch) -> AssignedAction:
    """START_BATCH: one call for all members (B5.2, B8)."""
    members = ",".join(
        f'"{one.task_id}":{{"payload":{start_payload(one)},"workflow_run_id":"{one.run_id}"}}'
        for one in batch.members
    )
    action = AssignedAction(
        tenant_id=_repeated(batch.tenant_id),
        action_id=batch.action,
        action_type=_START_BATCH,
        action_payload=f"{{{members}}}",
        batchId=str(batch.id),
    )
    start = action.batchStartPayload
    start.triggerReason = batch.reason
    start.expectedSize = len(batch.members)
    set_timestamp(start.triggerTime, batch.flushed_ms)
    if batch.key:
        action.batchKey = batch.key
    return action


def _set_event(action: AssignedAction, metadata: str) -> None:
    """The event that caused the run stands in its metadata."""
    values = orjson.loads(metadata)
    action.triggering_event_external_id = str(values.get(EVENT_ID, ""))
    action.triggering_event_key = str(values.get(EVENT_KEY, ""))


def cancel_action(notice: CancelNotice) -> AssignedAction:
    """CANCEL_STEP_RUN: the same names and the same attempt as in the START (B6)."""
    task_id = str(notice.task_id)
    step_id = _repeated(notice.step_id)
    return AssignedAction(
        tenant_id=_repeated(notice.tenant_id),
        workflow_run_id=str(notice.run_id),
        job_id=step_id,
        job_name=notice.task_name,
        job_run_id=task_id,
        task_id=step_id,
        task_run_external_id=task_id,
        action_id=notice.action,
        action_type=_CANCEL,
        task_name=notice.task_name,
        retry_count=notice.attempt,
        workflow_id=_repeated(notice.workflow_id),
        workflow_version_id=_repeated(notice.version_id),
    )


def _set_parent(action: AssignedAction, parent: UUID, index: int | None, key: str | None) -> None:
    action.parent_workflow_run_id = str(parent)
    if index is not None:
        action.child_workflow_index = index
    if key is not None:
        action.child_workflow_key = key
