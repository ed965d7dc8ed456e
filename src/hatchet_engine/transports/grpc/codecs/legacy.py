"""The registration message of old SDKs: jobs of steps, flattened into tasks (B12.4, REG-20)."""

from __future__ import annotations

from hatchet_engine.domain.definition import ConcurrencyRule, TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.errors import invalid
from hatchet_engine.transports.grpc.codecs.labels import desired_labels
from hatchet_engine.transports.grpc.codecs.registration import (
    checked,
    enum_name,
    rate_limits,
    set_timeouts,
)
from hatchet_engine.turn.commands import RegisteredWorkflow
from hatchet_protocol.times import set_timestamp
from hatchet_protocol.v1_workflows import ConcurrencyLimitStrategy
from hatchet_protocol.workflows import (
    CreateWorkflowStepOpts,
    CreateWorkflowVersionOpts,
    StickyStrategy,
    WorkflowVersion,
)


def legacy_definition(opts: CreateWorkflowVersionOpts) -> WorkflowDefinition:
    """The normalised definition. Raises ``Refused`` naming the field and the remedy."""
    schedule_timeout = opts.schedule_timeout
    tasks = [_task(step, schedule_timeout) for job in opts.jobs for step in job.steps]
    if opts.HasField("on_failure_job") and opts.on_failure_job.steps:
        on_failure = _task(opts.on_failure_job.steps[0], schedule_timeout)
        on_failure.on_failure = True
        tasks.append(on_failure)
    sticky = None
    if opts.HasField("sticky"):
        try:
            sticky = StickyStrategy(opts.sticky).name
        except ValueError:
            raise invalid("sticky: must be SOFT (0) or HARD (1)", field="sticky") from None
    return checked(
        WorkflowDefinition(
            name=opts.name,
            description=opts.description,
            tasks=tasks,
            event_triggers=list(opts.event_triggers),
            cron_triggers=list(opts.cron_triggers),
            cron_input=opts.cron_input or None,
            sticky=sticky,
            default_priority=opts.default_priority if opts.HasField("default_priority") else None,
            concurrency=_concurrency(opts),
        )
    )


def legacy_version(opts: CreateWorkflowVersionOpts, made: RegisteredWorkflow) -> WorkflowVersion:
    answer = WorkflowVersion(
        id=str(made.version_id),
        version=opts.version,
        order=made.number,
        workflow_id=str(made.workflow_id),
    )
    set_timestamp(answer.created_at, made.created_ms)
    set_timestamp(answer.updated_at, made.created_ms)
    return answer


def _concurrency(opts: CreateWorkflowVersionOpts) -> list[ConcurrencyRule]:
    # Only expressions count: functions that computed the key are gone, and their SDKs with them.
    if not opts.HasField("concurrency") or not opts.concurrency.expression:
        return []
    rule = opts.concurrency
    return [
        ConcurrencyRule(
            expression=rule.expression,
            max_runs=rule.max_runs if rule.HasField("max_runs") else 1,
            strategy=enum_name(ConcurrencyLimitStrategy, rule.limit_strategy),
        )
    ]


def _task(step: CreateWorkflowStepOpts, schedule_timeout: str) -> TaskDefinition:
    where = f"task {step.readable_id!r}"
    made = TaskDefinition(
        name=step.readable_id,
        action=step.action,
        retries=step.retries,
        backoff_factor=step.backoff_factor if step.HasField("backoff_factor") else None,
        backoff_max_s=step.backoff_max_seconds if step.HasField("backoff_max_seconds") else None,
        parents=list(step.parents),
        labels=desired_labels(step.worker_labels, f"{where}: worker_labels"),
        rate_limits=rate_limits(step.rate_limits),
    )
    set_timeouts(made, step.timeout, schedule_timeout)
    return made
