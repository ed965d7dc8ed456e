"""A task of a run whose parents are done: it is queued, waits, is skipped or cancelled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

from hatchet_engine.domain import dag as rules
from hatchet_engine.domain.conditions import (
    QUEUE,
    SKIP,
    Decision,
    Standing,
    Verdict,
    judge,
)
from hatchet_engine.domain.dag import SKIPPED_OUTPUT, Member
from hatchet_engine.domain.definition import Condition
from hatchet_engine.domain.durations import parse_ms
from hatchet_engine.domain.expressions import CONDITION, EvaluationError, ExpressionError, compile
from hatchet_engine.domain.states import PRIORITY_AGAIN, EventKind
from hatchet_engine.turn.asks import AskError
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.deliveries import RunEvent
from hatchet_engine.turn.demands import demand_of_member
from hatchet_engine.turn.ends import end_member
from hatchet_engine.turn.lifecycle import enqueue
from hatchet_engine.turn.queues import Payload
from hatchet_engine.turn.state import Turn


def begin(turn: Turn, dag: Dag, position: int, ended: deque[int], *, chosen: bool = False) -> None:
    """Its parents are done, or it was ``chosen`` for a replay; ends are added to ``ended``.

    When a parent's output that a condition looks at is not in memory, the task is postponed.
    """
    step = dag.version.steps[position]
    skip_judged = any(c.kind == "parent" and c.action == SKIP for c in step.conditions)
    if not chosen and not skip_judged and rules.all_skipped(dag.parents(step)):
        _end(turn, dag, position, Member.SKIPPED, "All of its parents were skipped", ended)
        return
    if step.asks is not None and not _knows_asked(dag, step):
        turn.postponed.append((dag, [position]))
        return
    if not step.conditions:
        enqueue_member(turn, dag, position, ended)
        return
    if not dag.knows_outputs(_looked_at(step)):
        turn.postponed.append((dag, [position]))
        return
    judged = _Judged(turn, dag, step)
    decision = judge(step.conditions, judged.standings)
    _act(turn, dag, step, decision, judged, ended)


def _act(
    turn: Turn, dag: Dag, step: Step, decision: Decision, judged: _Judged, ended: deque[int]
) -> None:
    position = step.index
    verdict = decision.verdict
    if verdict is Verdict.READY:
        if judged.data:
            dag.triggers[position] = joined_data(step, judged.data)
        watch(turn, dag, step, decision.watch, {})
        enqueue_member(turn, dag, position, ended)
    elif verdict is Verdict.WAIT:
        dag.states[position] = Member.BEGUN
        watch(turn, dag, step, decision.watch, judged.data)
        turn.plan.event(
            EventKind.WAITING,
            dag.tenant_id,
            dag.task_ids[position],
            dag.attempts[position],
            None,
            ", ".join(step.conditions[at].data_key for at in decision.watch),
        )
    elif verdict is Verdict.SKIP:
        _end(turn, dag, position, Member.SKIPPED, "skip_if was met", ended)
    elif verdict is Verdict.CANCEL:
        _end(turn, dag, position, Member.CANCELLED, "cancel_if was met", ended)
    elif judged.errors:
        _end(turn, dag, position, Member.FAILED, f"wait_for failed: {judged.errors[0]}", ended)
    else:
        reason = "wait_for can't be met any more: its parent conditions are false"
        _end(turn, dag, position, Member.CANCELLED, reason, ended)


class _Judged:
    """The parent conditions of a task, evaluated."""

    def __init__(self, turn: Turn, dag: Dag, step: Step) -> None:
        self.errors: list[str] = []  # of wait_for
        self.data: dict[int, str] = {}  # outputs of parents that met a wait_for
        self.standings = [
            self._standing(turn, dag, step, at, condition)
            for at, condition in enumerate(step.conditions)
        ]

    def _standing(
        self, turn: Turn, dag: Dag, step: Step, at: int, condition: Condition
    ) -> Standing:
        if condition.kind != "parent":
            return Standing.OPEN
        text = _parent_output(dag, condition)
        try:
            met = holds(condition.expression, lambda: orjson.loads(text), output=True)
        except (EvaluationError, ExpressionError) as error:
            if condition.action == QUEUE:
                self.errors.append(str(error))
            turn.plan.event(
                EventKind.CONDITION_FAILED,
                dag.tenant_id,
                dag.task_ids[step.index],
                dag.attempts[step.index],
                None,
                f"{condition.action.lower()} condition on {condition.parent!r}: {error}",
            )
            met = False
        if met and condition.action == QUEUE:
            self.data[at] = text
        return Standing.MET if met else Standing.NEVER


def holds(expression: str, read: Callable[[], Any], *, output: bool) -> bool:
    """Whether a condition is true for a parent's output or for an event's payload. Raises
    ``EvaluationError`` or ``ExpressionError``."""
    if not expression:
        return True
    value = read()
    data = value if isinstance(value, dict) else {}
    variables = {"input": {}, "output": data} if output else {"input": data, "output": {}}
    return bool(compile(expression, CONDITION).evaluate(variables))


def _parent_output(dag: Dag, condition: Condition) -> str:
    for at, step in enumerate(dag.version.steps):
        if step.name == condition.parent:
            if dag.states[at] is Member.SKIPPED:
                return SKIPPED_OUTPUT
            return dag.outputs.get(at) or "{}"
    return "{}"


def _looked_at(step: Step) -> list[int]:
    """The parents whose outputs its conditions look at."""
    names = {condition.parent for condition in step.conditions if condition.kind == "parent"}
    return [at for at in step.parents if step.version.steps[at].name in names]


def watch(turn: Turn, dag: Dag, step: Step, positions: list[int], met: dict[int, str]) -> None:
    """Store what the task waits for from now on, and what of it is met already."""
    if not positions:
        return
    task_id = dag.task_ids[step.index]
    rows = turn.plan.waits.setdefault(task_id, [])
    for at in sorted({*positions, *met}):
        condition = step.conditions[at]
        due_ms = None
        if condition.kind == "sleep":
            due_ms = turn.now_ms + parse_ms(condition.sleep or "")
            earliest = turn.hot.next_wait_ms
            if earliest is None or due_ms < earliest:
                turn.hot.next_wait_ms = due_ms
        rows.append(
            (
                task_id,
                at,
                dag.tenant_id,
                dag.run_id,
                dag.version.id,
                step.index,
                due_ms,
                condition.event_key,
                condition.event_scope or None,
                at in met,
                met.get(at),
            )
        )


def ready(dag: Dag) -> list[int]:
    """The tasks that begin once their run may."""
    return [
        step.index
        for step in dag.version.steps
        if dag.states[step.index] is Member.PENDING
        and not step.on_failure
        and dag.pending_parents[step.index] == 0
    ]


def _knows_asked(dag: Dag, step: Step) -> bool:
    """Whether what the expressions of a task look at is in memory."""
    assert step.asks is not None
    if step.asks.looks_at("input") and dag.input is None:
        return False
    wanted = step.ancestors if step.asks.batched else step.parents
    return not step.asks.looks_at("parents") or dag.knows_outputs(wanted)


def enqueue_member(turn: Turn, dag: Dag, position: int, ended: deque[int]) -> None:
    """Put a task of a run into its queue."""
    step = dag.version.steps[position]
    task_id = dag.task_ids[position]
    try:
        demand = demand_of_member(turn, dag, step)
    except AskError as error:
        turn.plan.forget_waits(task_id)
        _end(turn, dag, position, Member.FAILED, str(error), ended)
        return
    dag.states[position] = Member.BEGUN
    attempt = dag.attempts[position]
    triggers = dag.triggers.get(position)
    if triggers is not None:
        # Kept for later attempts, and for whoever wants to know what released the task.
        turn.plan.event(EventKind.CONDITION_MET, dag.tenant_id, task_id, attempt, None, triggers)
    payload = None
    if dag.input is not None and dag.knows_outputs(step.ancestors):
        payload = Payload(
            dag.run_id,
            dag.input,
            dag.metadata,
            dag.priority,
            dag.created_ms,
            dag.parent_task_id,
            dag.child_index,
            dag.child_key,
            dag.context(step),
        )
    enqueue(
        turn,
        task_id=task_id,
        tenant_id=dag.tenant_id,
        step=step,
        priority=PRIORITY_AGAIN if attempt > 0 else dag.priority,
        attempt=attempt,
        demand=demand,
        payload=payload,
        run_id=dag.run_id,
    )
    if turn.events is not None:
        turn.events.append(RunEvent(dag.run_id, task_id, "STARTED", "", attempt, None, turn.now_ms))


def joined_data(step: Step, data: dict[int, str]) -> str:
    """Data of met conditions by their keys, as JSON text; the first of a key counts."""
    parts: dict[str, str] = {}
    for at, text in sorted(data.items()):
        parts.setdefault(step.conditions[at].data_key, text)
    pairs = [f"{orjson.dumps(key).decode()}:{text}" for key, text in parts.items()]
    return f"{{{','.join(pairs)}}}"


def _end(
    turn: Turn, dag: Dag, position: int, state: Member, reason: str, ended: deque[int]
) -> None:
    end_member(turn, dag, position, state, reason)
    ended.append(position)
