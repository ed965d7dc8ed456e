"""Workflows and versions as the API shows them."""

from __future__ import annotations

from hatchet_engine.domain.definition import ConcurrencyRule
from hatchet_engine.domain.durations import format_ms
from hatchet_engine.observe.definitions import Version
from hatchet_engine.observe.workflows import WorkflowRow
from hatchet_engine.transports.rest.codecs.common import meta
from hatchet_engine.transports.rest.responses import json_object
from hatchet_engine.transports.rest.schemas.workflows import (
    ConcurrencyLimitStrategy,
    ConcurrencyScope,
    ConcurrencySetting,
    WhilePaused,
    Workflow,
    WorkflowTriggerCronRef,
    WorkflowTriggerEventRef,
    WorkflowTriggers,
    WorkflowVersion,
    WorkflowVersionMeta,
)

# The nearest name of the official API, whose clients refuse names they don't know.
_STRATEGIES = {
    "CANCEL_NEWEST": ConcurrencyLimitStrategy.DROP_NEWEST,
    "CANCEL_QUEUED_EXCEPT_NEWEST": ConcurrencyLimitStrategy.QUEUE_NEWEST,
    "CANCEL_QUEUED_EXCEPT_OLDEST": ConcurrencyLimitStrategy.QUEUE_NEWEST,
}


def workflow(row: WorkflowRow, version: Version | None = None) -> Workflow:
    """``version``: the newest one, shown by the endpoints for one workflow."""
    shown = Workflow(
        metadata=meta(row.id, row.created_at, row.updated_at),
        name=row.name,
        description=row.description,
        is_paused=row.paused,
        paused_workflow_cron_run_queue_behavior=_while_paused(row.drop_crons),
        paused_workflow_scheduled_run_queue_behavior=_while_paused(row.drop_scheduled),
        tenant_id=str(row.tenant_id),
    )
    if version is not None:
        shown.versions = [
            WorkflowVersionMeta(
                metadata=meta(version.id, version.created_at),
                version="",
                order=version.number,
                workflow_id=str(row.id),
            )
        ]
        shown.triggers = _triggers(row, version)
    return shown


def workflow_version(row: WorkflowRow, version: Version) -> WorkflowVersion:
    definition = version.definition
    tasks = definition.tasks
    return WorkflowVersion(
        metadata=meta(version.id, version.created_at),
        version="",
        order=version.number,
        workflow_id=str(row.id),
        sticky=definition.sticky.lower() if definition.sticky else None,
        default_priority=definition.default_priority,
        workflow=workflow(row),
        triggers=_triggers(row, version),
        schedule_timeout=format_ms(tasks[0].schedule_timeout_ms) if tasks else None,
        workflow_config=json_object(version.text),
        v1_concurrency=[
            *(_concurrency(rule, None) for rule in definition.concurrency),
            *(_concurrency(rule, task.name) for task in tasks for rule in task.concurrency),
        ],
        input_json_schema=(
            json_object(definition.input_json_schema) if definition.input_json_schema else None
        ),
    )


def _while_paused(drop: bool | None) -> WhilePaused | None:
    if drop is None:
        return None
    return WhilePaused.DROP if drop else WhilePaused.QUEUE


def _triggers(row: WorkflowRow, version: Version) -> WorkflowTriggers:
    definition = version.definition
    return WorkflowTriggers(
        metadata=meta(version.id, version.created_at),
        workflow_version_id=str(version.id),
        tenant_id=str(row.tenant_id),
        events=[
            WorkflowTriggerEventRef(parent_id=str(version.id), event_key=key)
            for key in definition.event_triggers
        ],
        crons=[
            WorkflowTriggerCronRef(parent_id=str(version.id), cron=cron)
            for cron in definition.cron_triggers
        ],
    )


def _concurrency(rule: ConcurrencyRule, task_name: str | None) -> ConcurrencySetting:
    strategy = _STRATEGIES.get(rule.strategy)
    return ConcurrencySetting(
        max_runs=rule.max_runs,
        limit_strategy=strategy or ConcurrencyLimitStrategy(rule.strategy),
        expression=rule.expression,
        step_readable_id=task_name,
        scope=ConcurrencyScope.TASK if task_name else ConcurrencyScope.WORKFLOW,
        strategy=rule.strategy,
        max_runs_expression=rule.max_runs_expression,
        name=rule.name,
        tenant_scoped=rule.tenant_scoped,
    )
