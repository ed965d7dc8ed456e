"""From CreateWorkflowVersionRequest to a checked workflow definition (B12)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    EventFilter,
    IdempotencyConfig,
    RateLimitUse,
    TaskDefinition,
    WorkflowDefinition,
    to_json,
)
from hatchet_engine.domain.durations import parse_ms
from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.payloads import has_nul_escape
from hatchet_engine.domain.registration import check
from hatchet_engine.transports.grpc.codecs.conditions import task_conditions
from hatchet_engine.transports.grpc.codecs.labels import desired_labels
from hatchet_protocol.v1_workflows import (
    Concurrency,
    ConcurrencyLimitStrategy,
    CreateTaskOpts,
    CreateTaskRateLimit,
    CreateWorkflowVersionRequest,
    IdempotencyMethod,
    RateLimitDuration,
    StickyStrategy,
    TaskBatchConfig,
)
from hatchet_protocol.workflows import CreateStepRateLimit


def workflow_definition(request: CreateWorkflowVersionRequest) -> WorkflowDefinition:
    """The normalised definition. Raises ``Refused`` naming the field and the remedy."""
    tasks = [_task(task) for task in request.tasks]
    if request.HasField("on_failure_task"):
        on_failure = _task(request.on_failure_task)
        on_failure.on_failure = True
        tasks.append(on_failure)
    rules = list(request.concurrency_arr)
    if request.HasField("concurrency"):
        rules.insert(0, request.concurrency)
    return checked(
        WorkflowDefinition(
            name=request.name,
            description=request.description,
            tasks=tasks,
            event_triggers=list(request.event_triggers),
            cron_triggers=list(request.cron_triggers),
            cron_input=request.cron_input or None,
            sticky=_sticky(request),
            default_priority=(
                request.default_priority if request.HasField("default_priority") else None
            ),
            concurrency=[_concurrency(rule) for rule in rules],
            default_filters=[
                EventFilter(entry.expression, entry.scope, text(entry.payload, "payload") or "{}")
                for entry in request.default_filters
            ],
            input_json_schema=text(request.input_json_schema, "input_json_schema") or None,
            idempotency=_idempotency(request),
        )
    )


def checked(definition: WorkflowDefinition) -> WorkflowDefinition:
    """Normalise by the rules of the domain, and refuse what can't be stored or run."""
    stored = to_json(definition)
    if "\\u0000" in stored and has_nul_escape(stored):
        raise invalid(
            f"workflow {definition.name!r}: holds the null character, which can't be stored; "
            "remove it"
        )
    return check(definition)


def _task(task: CreateTaskOpts) -> TaskDefinition:
    where = f"task {task.readable_id!r}"
    made = TaskDefinition(
        name=task.readable_id,
        action=task.action,
        retries=task.retries,
        backoff_factor=task.backoff_factor if task.HasField("backoff_factor") else None,
        backoff_max_s=task.backoff_max_seconds if task.HasField("backoff_max_seconds") else None,
        parents=list(task.parents),
        slots=dict(task.slot_requests),
        labels=desired_labels(task.worker_labels, f"{where}: worker_labels"),
        concurrency=[_concurrency(rule) for rule in task.concurrency],
        rate_limits=rate_limits(task.rate_limits),
        conditions=task_conditions(task.conditions) if task.HasField("conditions") else [],
        batch=_batch(task.batch, where) if task.HasField("batch") else None,
        durable=task.is_durable,
    )
    set_timeouts(made, task.timeout, task.schedule_timeout)
    return made


def set_timeouts(task: TaskDefinition, execution: str, schedule: str) -> None:
    """Empty texts leave the defaults."""
    if execution:
        task.execution_timeout_ms = duration_ms(execution, f"task {task.name!r}: timeout")
    if schedule:
        task.schedule_timeout_ms = duration_ms(schedule, f"task {task.name!r}: schedule_timeout")


def duration_ms(text: str, field: str) -> int:
    try:
        ms = parse_ms(text)
    except ValueError as error:
        raise invalid(f"{field}: {error}", field=field) from None
    if ms < 1:
        raise invalid(f"{field}: must be at least 1ms, got {text!r}", field=field)
    return ms


def text(raw: bytes, field: str) -> str:
    """Bytes that hold JSON, as text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise invalid(f"{field}: is not UTF-8 text", field=field) from None


def enum_name(enum: type[IntEnum], number: int) -> str:
    """Name of an enum value; unknown numbers give the number, which the domain then refuses."""
    try:
        return enum(number).name
    except ValueError:
        return str(number)


def _sticky(request: CreateWorkflowVersionRequest) -> str | None:
    if not request.HasField("sticky"):
        return None
    try:
        return StickyStrategy(request.sticky).name
    except ValueError:
        raise invalid("sticky: must be SOFT (0) or HARD (1)", field="sticky") from None


def _concurrency(rule: Concurrency) -> ConcurrencyRule:
    return ConcurrencyRule(
        expression=rule.expression,
        max_runs=rule.max_runs if rule.HasField("max_runs") else 1,
        strategy=enum_name(ConcurrencyLimitStrategy, rule.limit_strategy),
        name=rule.name or None,
        tenant_scoped=rule.is_tenant_scoped,
        max_runs_expression=rule.max_runs_expression or None,
    )


def rate_limits(limits: Iterable[CreateTaskRateLimit | CreateStepRateLimit]) -> list[RateLimitUse]:
    """Also of legacy registrations: their message has the same fields."""
    return [
        RateLimitUse(
            key=limit.key,
            units=limit.units if limit.HasField("units") else None,
            key_expr=limit.key_expr or None,
            units_expr=limit.units_expr or None,
            limit_expr=limit.limit_values_expr or None,
            duration=(
                enum_name(RateLimitDuration, limit.duration) if limit.HasField("duration") else None
            ),
        )
        for limit in limits
    ]


def _batch(batch: TaskBatchConfig, where: str) -> BatchConfig:
    if not 1 <= batch.batch_max_size <= 100_000:
        raise invalid(f"{where}: batch_max_size must be 1 to 100000, got {batch.batch_max_size}")
    made = BatchConfig(batch.batch_max_size, group_key=batch.batch_group_key or None)
    if batch.HasField("batch_max_interval_ms"):
        made.interval_ms = batch.batch_max_interval_ms
    if batch.HasField("batch_group_max_runs"):
        made.group_max_runs = batch.batch_group_max_runs
    if made.interval_ms < 1 or made.group_max_runs < 1:
        raise invalid(f"{where}: batch_max_interval_ms and batch_group_max_runs must be at least 1")
    made.broadcast_output = batch.broadcast_output
    return made


def _idempotency(request: CreateWorkflowVersionRequest) -> IdempotencyConfig | None:
    if not request.HasField("idempotency"):
        return None
    config = request.idempotency
    try:
        method = IdempotencyMethod(config.method).name
    except ValueError:
        raise invalid("idempotency.method: must be TTL (0) or STATUS (1)") from None
    return IdempotencyConfig(config.expression, config.ttl_ms, method)
