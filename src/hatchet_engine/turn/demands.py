"""What runs ask for as they begin, worked out by the expressions of their definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson

from hatchet_engine.domain.dag import Member
from hatchet_engine.domain.demand import Demand
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.turn.asks import Asks
from hatchet_engine.turn.batches import MEMBER_BYTES
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.definitions import Step, Version
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.rates import apply_limits
from hatchet_engine.turn.state import Finished, Turn

Variables = dict[str, Callable[[], Any]]  # how to get the value of each


def demand_of_single(
    turn: Turn, step: Step, id: UUID, input: str, metadata: str | None, base: Demand | None
) -> Demand | None:
    """What a run of one task asks for, on top of ``base``. Raises ``AskError``."""
    if step.asks is None:
        return base
    return _demand(turn, step.version, step.asks, id, input, metadata, base)


def demand_of_run(
    turn: Turn, version: Version, id: UUID, input: str, metadata: str | None, base: Demand | None
) -> Demand | None:
    """What a run of several tasks asks for before any of them begins. Raises ``AskError``."""
    if version.asks is None:
        return base
    return _demand(turn, version, version.asks, id, input, metadata, base)


def _demand(
    turn: Turn,
    version: Version,
    asks: Asks,
    id: UUID,
    input: str,
    metadata: str | None,
    base: Demand | None,
) -> Demand:
    variables: Variables = {
        "input": lambda: orjson.loads(input),
        "additional_metadata": lambda: orjson.loads(metadata or "{}"),
        "workflow_run_id": lambda: str(id),
        "task_run_id": lambda: str(id),
    }
    size = _bytes(input, metadata) if asks.batched else 0
    return _work_out(turn, version.tenant_id, asks, variables, base, size)


def demand_of_member(turn: Turn, dag: Dag, step: Step) -> Demand | None:
    """What a task of a run asks for. Raises ``AskError``."""
    base = dag.base_demand(step)
    if step.asks is None:
        return base
    variables: Variables = {
        "input": lambda: orjson.loads(dag.input or "{}"),
        "additional_metadata": lambda: orjson.loads(dag.metadata or "{}"),
        "parents": lambda: orjson.loads(dag.parent_outputs(step)),
        "workflow_run_id": lambda: str(dag.run_id),
        "task_run_id": lambda: str(dag.task_ids[step.index]),
    }
    size = _bytes(dag.input, dag.metadata, dag.context(step)) if step.asks.batched else 0
    return _work_out(turn, dag.tenant_id, step.asks, variables, base, size)


def _work_out(
    turn: Turn,
    tenant_id: UUID,
    asks: Asks,
    variables: Variables,
    base: Demand | None,
    size: int,
) -> Demand:
    limits: list[tuple[str, int, str]] = []
    demand = asks.demand(variables, base, limits, size)
    if limits:
        apply_limits(turn, tenant_id, limits)
    return demand


def _bytes(*texts: str | None) -> int:
    """What a task takes of the start message of its batch."""
    return MEMBER_BYTES + sum(len(text.encode()) for text in texts if text)


def waiting_run(turn: Turn, dag: Dag, priority: int) -> Queued:
    """What stands in lines for a run whose tasks may not begin yet. The run times out there as its
    first task would (CON-13)."""
    step = next(one for one in dag.version.steps if dag.states[one.index] is Member.PENDING)
    item = Queued(
        dag.run_id,
        dag.tenant_id,
        step,
        -priority,
        dag.replays,
        0,
        0,
        turn.now_ms,
        turn.now_ms + step.schedule_timeout_ms,
        Demand(places=dag.places),
    )
    item.whole = True
    return item


def end_at_once(turn: Turn, step: Step, task_id: UUID, attempt: int, error: str) -> None:
    """A run of one task fails before it is queued (CON-2)."""
    tenant_id = step.version.tenant_id
    turn.plan.end(
        tenant_id, task_id, TaskKind.STANDALONE, Status.FAILED, attempt, None, None, error
    )
    turn.finished.append(Finished(task_id, task_id, step, Status.FAILED, None, error))
