"""Triggers of the official protocol (B13)."""

from __future__ import annotations

from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.transports.grpc.codecs.ids import optional_id
from hatchet_engine.transports.grpc.codecs.labels import desired_labels
from hatchet_engine.transports.grpc.codecs.registration import text
from hatchet_engine.turn.commands import TriggerItem
from hatchet_protocol.v1_trigger import TriggerWorkflowRequest
from hatchet_protocol.v1_workflows import TriggerWorkflowRunRequest


def trigger_item(request: TriggerWorkflowRequest) -> TriggerItem:
    """Raises ``Refused`` naming the field. JSON is looked at by the engine, not here."""
    item = TriggerItem(request.name, request.input, request.additional_metadata)
    if request.HasField("priority"):
        item.priority = request.priority
    parent = request.parent_task_run_external_id
    if parent:
        item.parent_task_id = optional_id(parent, "parent_task_run_external_id")
        # Python sends child_index 0 without a parent too: it means nothing then (B13.2).
        if request.HasField("child_index"):
            item.child_index = request.child_index
        item.child_key = child_key(request.child_key)
    if request.desired_worker_id:
        item.desired_worker_id = optional_id(request.desired_worker_id, "desired_worker_id")
    if request.desired_worker_labels:
        item.desired_labels = desired_labels(request.desired_worker_labels, "desired_worker_labels")
    return item


def trigger_run_item(request: TriggerWorkflowRunRequest) -> TriggerItem:
    """The form of v1.AdminService, with JSON as bytes (B14.3)."""
    item = TriggerItem(
        request.workflow_name,
        text(request.input, "input"),
        text(request.additional_metadata, "additional_metadata"),
    )
    if request.HasField("priority"):
        item.priority = request.priority
    if request.desired_worker_labels:
        item.desired_labels = desired_labels(request.desired_worker_labels, "desired_worker_labels")
    return item


def child_key(key: str) -> str | None:
    """Empty is absent. Raises ``Refused`` for what Postgres can't hold."""
    if "\x00" in key:
        raise invalid("child_key: holds the null character; remove it", field="child_key")
    return key or None


def of_item(refused: Refused, index: int) -> Refused:
    """The same refusal, saying which item of a bulk call it is about."""
    return Refused(
        refused.code, f"workflows[{index}]: {refused.message}", field=refused.field, index=index
    )
