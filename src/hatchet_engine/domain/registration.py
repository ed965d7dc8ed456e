"""Checks and normalises a workflow definition before it becomes a version (REG-*, 1.2)."""

from __future__ import annotations

import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from uuid import UUID

import orjson

from hatchet_engine.domain.calendar import parse as parse_cron
from hatchet_engine.domain.definition import (
    DEFAULT_BACKOFF_MAX_S,
    BatchConfig,
    Condition,
    RateLimitUse,
    TaskDefinition,
    WorkflowDefinition,
    to_json,
)
from hatchet_engine.domain.durations import MAX_MS, parse_ms
from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.idempotency import METHODS
from hatchet_engine.domain.payloads import check_object, has_nul_escape
from hatchet_engine.domain.rates import KEY_BYTES_MAX, WINDOWS
from hatchet_engine.domain.registration_concurrency import check_concurrency
from hatchet_engine.domain.registration_expressions import check_expressions, described
from hatchet_engine.domain.states import PRIORITY_MAX, PRIORITY_MIN

# \Z, because $ also matches before a trailing newline.
NAME = re.compile(r"[a-zA-Z0-9._-]+\Z")
ACTION = re.compile(r"[^:\s\x00-\x1f]+(:[^:\s\x00-\x1f]+){1,2}\Z")
NAME_LENGTH_MAX = 255
TASKS_MAX = 1_000
RETRIES_MAX = 10_000
BACKOFF_FACTOR_MAX = 1_000
BATCH_SIZE_MAX = 100_000
BATCH_INTERVAL_MAX_MS = 86_400_000
BATCH_GROUP_RUNS_MAX = 10_000
EVENT_KEY_LENGTH_MAX = 1_024
CRONS_MAX = 1_000
CRON_INPUT_BYTES_MAX = 4 * 1024 * 1024 - 64 * 1024
NO_GROUP = ("", str(UUID(int=0)))  # or-groups that were not given: each condition its own


def check(definition: WorkflowDefinition) -> WorkflowDefinition:
    """Return the normalised definition, or raise ``Refused`` naming the field and the remedy.

    Normalising makes equal meanings equal texts: tasks in topological order (ties by name), action
    ids lower case, or-groups numbered by appearance, data keys of parent conditions replaced by the
    parent's name, ``{"default": 1}`` slots dropped (REG-4, REG-6, REG-7), and workflow-level
    concurrency of a one-task workflow moved to its task (REG-15).
    """
    _check_name(definition.name, "name")
    regular = [task for task in definition.tasks if not task.on_failure]
    if not regular:
        raise invalid("tasks: a workflow needs at least one task", field="tasks")
    if len(definition.tasks) > TASKS_MAX:
        raise invalid(f"tasks: at most {TASKS_MAX} tasks in a workflow", field="tasks")
    for task in definition.tasks:
        _check_task(task)
    _check_workflow(definition)
    check_concurrency(definition)
    _check_text(definition)
    check_expressions(definition)
    ordered = _sorted_tasks(definition.tasks, regular)
    for task in ordered:
        _normalise_task(task)
    definition.tasks = ordered
    if len(ordered) == 1 and definition.concurrency:
        ordered[0].concurrency = definition.concurrency + ordered[0].concurrency
        definition.concurrency = []
    return definition


def _check_name(name: str, field: str) -> None:
    if not name:
        raise invalid(f"{field}: is required", field=field)
    if len(name) > NAME_LENGTH_MAX:
        raise invalid(
            f"{field}: is {len(name)} characters long, the limit is {NAME_LENGTH_MAX}", field=field
        )
    if not NAME.match(name):
        raise invalid(
            f"{field}: {name!r} may hold only letters, digits, dot, underscore and hyphen",
            field=field,
        )


def _check_workflow(definition: WorkflowDefinition) -> None:
    priority = definition.default_priority
    if priority is not None and not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise invalid(
            f"default_priority: priority must be between 1 and 3, got {priority}",
            field="default_priority",
        )
    _check_crons(definition)
    for key in definition.event_triggers:
        if not 1 <= len(key) <= EVENT_KEY_LENGTH_MAX:
            raise invalid(
                f"event_triggers: an event key has 1 to {EVENT_KEY_LENGTH_MAX} characters",
                field="event_triggers",
            )
    for entry in definition.default_filters:
        _check_json(entry.payload, "default_filters.payload")
    idempotency = definition.idempotency
    if idempotency is not None:
        if not idempotency.expression:
            raise invalid("idempotency.expression: is required", field="idempotency")
        if not 1 <= idempotency.ttl_ms <= MAX_MS:
            raise invalid(
                f"idempotency.ttl_ms: must be between 1 and {MAX_MS}, got {idempotency.ttl_ms}",
                field="idempotency",
            )
        if idempotency.method not in METHODS:
            raise invalid(
                f"idempotency.method: is TTL or STATUS, not {idempotency.method}",
                field="idempotency",
            )


def _check_crons(definition: WorkflowDefinition) -> None:
    if len(definition.cron_triggers) > CRONS_MAX:
        raise invalid(
            f"cron_triggers: at most {CRONS_MAX} crons of a workflow", field="cron_triggers"
        )
    for text in definition.cron_triggers:
        try:
            parse_cron(text)
        except ValueError as error:
            raise invalid(f"cron_triggers: {text!r}: {error}", field="cron_triggers") from None
    if definition.cron_input is not None:
        definition.cron_input = check_object(
            definition.cron_input, "cron_input", CRON_INPUT_BYTES_MAX
        )


def _check_task(task: TaskDefinition) -> None:
    _check_name(task.name, "task.readable_id")
    where = f"task {task.name!r}"
    if not ACTION.match(task.action):
        raise invalid(
            f"{where}: action {task.action!r} must look like service:verb", field="action"
        )
    if not 0 <= task.retries <= RETRIES_MAX:
        raise invalid(
            f"{where}: retries must be between 0 and {RETRIES_MAX}, got {task.retries}",
            field="retries",
        )
    factor = task.backoff_factor
    if factor is not None and not 1 <= factor <= BACKOFF_FACTOR_MAX:
        raise invalid(
            f"{where}: backoff_factor must be between 1 and {BACKOFF_FACTOR_MAX}, got {factor:g}",
            field="backoff_factor",
        )
    longest = task.backoff_max_s
    if longest is not None and not 1 <= longest <= DEFAULT_BACKOFF_MAX_S:
        raise invalid(
            f"{where}: backoff_max_seconds must be between 1 and {DEFAULT_BACKOFF_MAX_S}, "
            f"got {longest}",
            field="backoff_max_seconds",
        )
    for slot_type, units in task.slots.items():
        if not slot_type or units <= 0:
            raise invalid(
                f"{where}: slot_requests need a slot type and at least 1 unit, "
                f"got {slot_type!r}: {units}",
                field="slot_requests",
            )
    for use in task.rate_limits:
        _check_rate_limit(use, where)
    for condition in task.conditions:
        _check_condition(condition, task, where)
    if task.batch is not None:
        _check_batch(task, task.batch, where)


def _check_condition(condition: Condition, task: TaskDefinition, where: str) -> None:
    if not condition.data_key:
        raise invalid(f"{where}: a condition needs a readable data key", field="conditions")
    if condition.action not in ("QUEUE", "CANCEL", "SKIP"):
        raise invalid(
            f"{where}: a condition's action is QUEUE, CANCEL or SKIP, not {condition.action}",
            field="conditions",
        )
    if condition.kind == "sleep":
        try:
            parse_ms(condition.sleep or "")
        except ValueError as error:
            raise invalid(f"{where}: sleep condition: {error}", field="conditions") from None
    elif condition.kind == "event":
        _check_event_key(condition.event_key or "", where)
    elif condition.parent not in task.parents:
        raise invalid(
            f"{where}: {described(condition)}: that is no parent of this task; "
            "add it to the task's parents",
            field="conditions",
        )


def _check_rate_limit(use: RateLimitUse, where: str) -> None:
    if not use.key or (use.units is None and not use.units_expr):
        raise invalid(f"{where}: a rate limit needs a key and units", field="rate_limits")
    if use.key_expr is None and (len(use.key.encode()) > KEY_BYTES_MAX or "\x00" in use.key):
        raise invalid(
            f"{where}: the key of rate limit {use.key[:20]!r}... is longer than {KEY_BYTES_MAX} "
            "bytes or holds the null character; shorten it",
            field="rate_limits",
        )
    if use.units is not None and use.units < 0:
        raise invalid(
            f"{where}: units of rate limit {use.key!r} must be at least 0, got {use.units}",
            field="rate_limits",
        )
    if use.duration is not None and use.duration not in WINDOWS:
        raise invalid(
            f"{where}: duration of rate limit {use.key!r} must be one of {', '.join(WINDOWS)}, "
            f"not {use.duration}",
            field="rate_limits",
        )


def _check_event_key(key: str, where: str) -> None:
    if not key:
        raise invalid(f"{where}: a condition on an event needs its key", field="conditions")
    if len(key) > EVENT_KEY_LENGTH_MAX:
        raise invalid(
            f"{where}: the event key of a condition is {len(key)} characters long, "
            f"the limit is {EVENT_KEY_LENGTH_MAX}",
            field="conditions",
        )


def _check_batch(task: TaskDefinition, batch: BatchConfig, where: str) -> None:
    if task.durable:
        raise invalid(
            f"{where}: a durable task can't run in batches; drop one of the two", field="batch"
        )
    for field, value, most in (
        ("max_size", batch.max_size, BATCH_SIZE_MAX),
        ("interval_ms", batch.interval_ms, BATCH_INTERVAL_MAX_MS),
        ("group_max_runs", batch.group_max_runs, BATCH_GROUP_RUNS_MAX),
    ):
        if not 1 <= value <= most:
            raise invalid(
                f"{where}: batch {field} must be between 1 and {most}, got {value}", field="batch"
            )


def _check_text(definition: WorkflowDefinition) -> None:
    """Nothing in it may be text that Postgres can't store."""
    try:
        text = to_json(definition)
    except (TypeError, ValueError) as error:
        raise invalid(f"the definition can't be stored: {error}") from None
    if has_nul_escape(text):
        raise invalid("the definition holds the null character, which can't be stored; remove it")


def _check_json(text: str, field: str) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"{field}: is not valid JSON: {error}", field=field) from None


def _sorted_tasks(
    tasks: list[TaskDefinition], regular: list[TaskDefinition]
) -> list[TaskDefinition]:
    """Parents before children, ties by name, the on-failure task last (REG-4, REG-8, REG-9)."""
    counted = Counter(task.name for task in tasks)
    twice = [name for name, count in counted.items() if count > 1]
    if twice:
        raise invalid(f"tasks: the name {twice[0]!r} is used twice", field="tasks")
    names = {task.name: task for task in regular}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for task in regular:
        for parent in task.parents:
            if parent not in names:
                raise invalid(
                    f"task {task.name!r}: parent {parent!r} is not a task of this workflow",
                    field="parents",
                )
        sorter.add(task.name, *task.parents)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise invalid(f"tasks: the parents form a circle: {circle}", field="parents") from None
    ordered: list[TaskDefinition] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += [names[name] for name in ready]
        sorter.done(*ready)
    return ordered + [task for task in tasks if task.on_failure]


def _normalise_task(task: TaskDefinition) -> None:
    task.action = task.action.lower()
    if task.slots == {"default": 1}:
        task.slots = {}
    if task.durable and not task.slots:
        task.slots = {"durable": 1}
    if task.backoff_factor is not None and task.backoff_max_s is None:
        task.backoff_max_s = DEFAULT_BACKOFF_MAX_S
    task.parents = sorted(set(task.parents))
    groups: dict[str, str] = {}
    for position, condition in enumerate(task.conditions):
        if condition.kind == "parent" and condition.parent:
            condition.data_key = condition.parent
        group = condition.or_group
        if group in NO_GROUP:
            group = f"alone {position}"
        condition.or_group = groups.setdefault(group, str(len(groups)))
