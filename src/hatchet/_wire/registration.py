"""The registration message of a workflow: `v1.CreateWorkflowVersionRequest`."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from hatchet._core.codec import write_input
from hatchet._core.durations import timedelta_to_expr
from hatchet._core.graph import find_cycle, leaves
from hatchet.conditions import (
    Condition,
    OrGroup,
    ParentCondition,
    SleepCondition,
    UserEventCondition,
    flatten,
)
from hatchet.runnables.types import StepType
from hatchet_protocol import v1_workflows as wire
from hatchet_protocol.times import set_timestamp
from hatchet_protocol.v1_condition import Action, BaseMatchCondition
from hatchet_protocol.v1_trigger import DesiredWorkerLabels

if TYPE_CHECKING:
    from hatchet.runnables.task import Task
    from hatchet.runnables.workflow import BaseWorkflow
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.labels import DesiredWorkerLabel
    from hatchet.types.rate_limit import RateLimit


def workflow_message(workflow: "BaseWorkflow[Any]") -> wire.CreateWorkflowVersionRequest:
    config, namespace = workflow._config, workflow._client.config.namespace
    message = wire.CreateWorkflowVersionRequest(
        name=workflow.name,
        description=config.description or "",
        version=config.version or "",
        event_triggers=[_prefixed(key, namespace) for key in config.on_events],
        cron_triggers=config.on_crons,
        default_priority=int(config.default_priority),
    )
    if config.cron_input is not None:
        message.cron_input = write_input(workflow._input_codec, config.cron_input) or "{}"
    if config.sticky is not None:
        message.sticky = wire.StickyStrategy[str(config.sticky)]
    _set_concurrency(message, config.concurrency)
    for default in config.default_filters:
        message.default_filters.add(
            expression=default.expression,
            scope=default.scope,
            payload=orjson.dumps(default.payload, default=str),
        )
    schema = workflow._input_codec.json_schema()
    if schema is not None:
        message.input_json_schema = schema
    _set_idempotency(message, config.idempotency)
    parents = _checked_graph(workflow)
    for task in workflow._tasks:
        message.tasks.append(task_message(task, parents[task.name]))
    if workflow._on_success is not None:
        message.tasks.append(task_message(workflow._on_success, leaves(parents)))
    if workflow._on_failure is not None:
        message.on_failure_task.CopyFrom(task_message(workflow._on_failure, []))
    return message


def _checked_graph(workflow: "BaseWorkflow[Any]") -> dict[str, list[str]]:
    """Names of the parents of each task.

    Raises `ValueError` for what can not be run: no tasks, strangers as parents, cycles.
    """
    name = workflow._config.name
    if not workflow._tasks:
        raise ValueError(f"workflow {name!r} has no tasks: add some with @workflow.task()")
    parents = {task.name: [parent.name for parent in task.parents] for task in workflow._tasks}
    for task in workflow._tasks:
        for parent in task.parents:
            if parent not in workflow._tasks:
                raise ValueError(
                    f"task {task.name!r} of workflow {name!r} has the parent {parent.name!r}, "
                    "which is no task of this workflow"
                )
    cycle = find_cycle(parents)
    if cycle is not None:
        raise ValueError(f"tasks of workflow {name!r} wait for each other: {' -> '.join(cycle)}")
    return parents


def task_message(task: "Task[Any, Any]", parents: list[str]) -> wire.CreateTaskOpts:
    message = wire.CreateTaskOpts(
        readable_id=task.name,
        action=task.action,
        timeout=task.timeout_text,
        schedule_timeout=task.schedule_timeout_text,
        inputs="{}",
        parents=parents,
        retries=task.retries,
        is_durable=task.is_durable,
        slot_requests=task.slot_requests,
    )
    if task.backoff_factor is not None:
        message.backoff_factor = task.backoff_factor
    if task.backoff_max_seconds is not None:
        message.backoff_max_seconds = task.backoff_max_seconds
    for limit in task.rate_limits:
        message.rate_limits.append(_rate_limit(limit))
    for concurrency in task.concurrency:
        message.concurrency.append(_concurrency(concurrency))
    for label in task.desired_worker_labels:
        if label.key:
            message.worker_labels[label.key].CopyFrom(desired_label(label))
    if task.type is StepType.DEFAULT:
        _add_conditions(message, task)
    if task.batch is not None:
        message.batch.batch_max_size = task.batch.max_size
        message.batch.broadcast_output = task.batch.broadcast_output
        if task.batch.max_interval_ms is not None:
            message.batch.batch_max_interval_ms = task.batch.max_interval_ms
        if task.batch.group_key is not None:
            message.batch.batch_group_key = task.batch.group_key
        if task.batch.group_max_runs is not None:
            message.batch.batch_group_max_runs = task.batch.group_max_runs
    return message


def desired_label(label: "DesiredWorkerLabel") -> DesiredWorkerLabels:
    message = DesiredWorkerLabels(required=label.required)
    if isinstance(label.value, int):
        message.int_value = label.value
    else:
        message.str_value = label.value
    if label.weight is not None:
        message.weight = label.weight
    if label.comparator is not None:
        message.comparator = int(label.comparator)
    return message


def _prefixed(key: str, namespace: str) -> str:
    return key if key.startswith(namespace) else namespace + key


def _concurrency(concurrency: "ConcurrencyExpression") -> wire.Concurrency:
    try:
        strategy = wire.ConcurrencyLimitStrategy[str(concurrency.limit_strategy)]
    except KeyError:
        raise ValueError(
            f"the protocol has no concurrency strategy {concurrency.limit_strategy}"
        ) from None
    message = wire.Concurrency(expression=concurrency.expression, limit_strategy=strategy)
    if isinstance(concurrency.max_runs, int):
        message.max_runs = concurrency.max_runs
    else:
        message.max_runs = 1
        message.max_runs_expression = concurrency.max_runs
    if concurrency.name is not None:
        message.name = concurrency.name
    if concurrency.is_tenant_scoped:
        message.is_tenant_scoped = True
    return message


def _set_concurrency(message: wire.CreateWorkflowVersionRequest, value: Any) -> None:
    """A single group goes to the old field, a list or a tenant-scoped group to the new one."""
    from hatchet.runnables.forms import as_concurrency

    groups = as_concurrency(value)
    if isinstance(value, (list, tuple)) or any(group.is_tenant_scoped for group in groups):
        message.concurrency_arr.extend(_concurrency(group) for group in groups)
    elif groups:
        message.concurrency.CopyFrom(_concurrency(groups[0]))


def _set_idempotency(message: wire.CreateWorkflowVersionRequest, value: Any) -> None:
    if value is None:
        return
    from hatchet.types.idempotency import TTLBasedIdempotencyConfig

    message.idempotency.expression = value.key_expression
    if isinstance(value, TTLBasedIdempotencyConfig):
        message.idempotency.method = wire.IdempotencyMethod.TTL
        ttl = value.ttl
    else:
        message.idempotency.method = wire.IdempotencyMethod.STATUS
        ttl = value.fallback_ttl
    message.idempotency.ttl_ms = ttl // timedelta(milliseconds=1)


def _rate_limit(limit: "RateLimit") -> wire.CreateTaskRateLimit:
    message = wire.CreateTaskRateLimit(
        key=limit.static_key or limit.dynamic_key or "",
        duration=wire.RateLimitDuration[str(limit.duration)],
    )
    if limit.dynamic_key is not None:
        message.key_expr = limit.dynamic_key
    if isinstance(limit.units, int):
        message.units = limit.units
    else:
        message.units_expr = limit.units
    message.limit_values_expr = "-1" if limit.limit is None else str(limit.limit)
    return message


def _add_conditions(message: wire.CreateTaskOpts, task: "Task[Any, Any]") -> None:
    namespace = task._workflow._client.config.namespace
    lists: list[tuple[Action, list[Condition | OrGroup]]] = [
        (Action.QUEUE, task.wait_for),
        (Action.SKIP, task.skip_if),
        (Action.CANCEL, task.cancel_if),
    ]
    for action, conditions in lists:
        for condition, group_id in flatten(conditions):
            base = BaseMatchCondition(
                readable_data_key=condition.readable_data_key,
                action=action,
                or_group_id=group_id,
                expression=condition.expression or "",
            )
            if isinstance(condition, SleepCondition):
                message.conditions.sleep_conditions.add(
                    base=base, sleep_for=timedelta_to_expr(condition.duration)
                )
            elif isinstance(condition, ParentCondition):
                message.conditions.parent_override_conditions.add(
                    base=base, parent_readable_id=condition.parent.name
                )
            elif isinstance(condition, UserEventCondition):
                event = message.conditions.user_event_conditions.add(
                    base=base, user_event_key=_prefixed(condition.event_key, namespace)
                )
                if condition.scope is not None:
                    event.event_scope = condition.scope
                if condition.consider_events_since is not None:
                    set_timestamp(event.consider_events_since, _ms(condition.consider_events_since))
            else:
                raise TypeError(f"unknown kind of condition: {type(condition).__name__}")


def _ms(moment: datetime) -> int:
    """Epoch milliseconds; a naive time is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
