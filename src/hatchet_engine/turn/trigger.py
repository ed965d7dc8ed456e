"""New runs (TR-*, ID-*)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from hatchet_engine.domain.dag import Member
from hatchet_engine.domain.demand import Demand, Place, text_of
from hatchet_engine.domain.errors import Code, KeyCollision, Refused, invalid
from hatchet_engine.domain.payloads import EMPTY_OBJECT, check_object
from hatchet_engine.domain.states import PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN, TaskKind
from hatchet_engine.turn.asks import AskError
from hatchet_engine.turn.begin import begin, ready
from hatchet_engine.turn.children import Spawn, child_key, inherited, input_mark
from hatchet_engine.turn.commands import TriggerItem, TriggerRuns
from hatchet_engine.turn.dags import Dag, merge_triggers
from hatchet_engine.turn.definitions import Step, Version
from hatchet_engine.turn.deliveries import RunEvent
from hatchet_engine.turn.demands import (
    demand_of_run,
    demand_of_single,
    end_at_once,
    waiting_run,
)
from hatchet_engine.turn.ends import end_member
from hatchet_engine.turn.entering import arrive
from hatchet_engine.turn.idempotency import KeyTaken
from hatchet_engine.turn.lifecycle import enqueue
from hatchet_engine.turn.plan import NewTask
from hatchet_engine.turn.queues import Payload
from hatchet_engine.turn.settle import propagate
from hatchet_engine.turn.state import Limits, Turn


@dataclass(slots=True)
class NewRun:
    """An item that passed all checks."""

    version: Version
    input: str
    metadata: str | None
    priority: int
    demand: Demand | None
    parent_task_id: UUID | None = None
    child_index: int | None = None
    child_key: str | None = None
    trigger: str | None = None  # JSON object text: what caused it, if an event did
    filter_payload: str | None = None
    key: str | None = None  # idempotency key
    origin: int | None = None


def trigger(turn: Turn, command: TriggerRuns) -> list[UUID] | KeyCollision:
    """Create the runs of one call, all or none; returns their ids in order. A child that exists
    already is not made again: its id is returned (CH-2). Only items whose idempotency keys are
    taken are left out, while the others are created (ID-4)."""
    made = turn.repeats.of(turn.plan, command) if command.resent_ms is not None else {}
    if made and len(made) == len(command.items):  # whatever has become of the workflow
        ids = [made[index] for index in range(len(made))]
        _subscribe(turn, command, ids, ids)
        return ids
    new_runs = check(turn, command)
    spawn: Spawn | None = turn.loaded.pop(id(command), None)
    if spawn is not None:
        _check_parents(command, spawn)
        _make_children(new_runs, command, spawn)
    if turn.hot.definitions.keyed:
        _set_keys(turn, new_runs, spawn)
    if command.origin is not None:
        for index, new_run in enumerate(new_runs):
            new_run.origin = command.origin + index
    ids, holders = _create_all(turn, command.tenant_id, new_runs, spawn, made)
    collision = KeyCollision(ids, holders) if holders else None
    older = [*made.values()] if spawn is None else [*made.values(), *spawn.existing.values()]
    _subscribe(turn, command, ids if collision is None else collision.created, older)
    return ids if collision is None else collision


def _create_all(
    turn: Turn,
    tenant_id: UUID,
    new_runs: list[NewRun],
    spawn: Spawn | None,
    made: Mapping[int, UUID],
) -> tuple[list[UUID], dict[int, UUID]]:
    """Ids of all items, and for those that were not created the runs that have their keys.
    ``made``: items whose runs were created when the call came for the first time."""
    ids: list[UUID] = []
    holders: dict[int, UUID] = {}
    for new_run in new_runs:
        try:
            if made and len(ids) in made:
                ids.append(made[len(ids)])
            elif spawn is not None and new_run.parent_task_id is not None:
                ids.append(_create_child(turn, tenant_id, new_run, spawn))
            else:
                ids.append(create(turn, tenant_id, new_run))
        except KeyTaken as taken:
            holders[len(ids)] = taken.holder
            ids.append(taken.run_id)
    return ids, holders


def _subscribe(turn: Turn, command: TriggerRuns, ids: list[UUID], older: list[UUID]) -> None:
    """``older``: those that were there before, and may have ended."""
    if command.subscriber is not None:
        turn.subscriptions.append((command.tenant_id, command.subscriber, ids))
        turn.look_ups += [(command.tenant_id, id_) for id_ in older]


def ask_keys(turn: Turn, command: TriggerRuns) -> None:
    """Ask for the idempotency keys that the runs of a call need, before the turn decides. A call
    that will be refused asks for nothing."""
    keyed = turn.hot.definitions.keyed
    if not any((command.tenant_id, item.workflow) in keyed for item in command.items):
        return
    try:
        new_runs = check(turn, command)
    except Refused:
        return
    spawn: Spawn | None = turn.loaded.get(id(command))
    if spawn is not None:
        _make_children(new_runs, command, spawn)
    for new_run in new_runs:
        turn.keys.ask(new_run.version, new_run.input, new_run.metadata)


def _set_keys(turn: Turn, new_runs: list[NewRun], spawn: Spawn | None) -> None:
    """Each run's key; a run that should have one and can't refuses the whole call (ID-8)."""
    for index, new_run in enumerate(new_runs):
        if new_run.version.definition.idempotency is None:
            continue
        if spawn is not None and _known_child(turn, new_run, spawn) is not None:
            continue
        try:
            new_run.key = turn.keys.of(new_run.version, new_run.input, new_run.metadata)
        except ValueError as error:
            raise invalid(
                f"idempotency key of workflow {new_run.version.name!r}: {error}",
                field="idempotency",
                index=index,
            ) from None


def _check_parents(command: TriggerRuns, spawn: Spawn) -> None:
    for index, item in enumerate(command.items):
        if item.parent_task_id is not None and item.parent_task_id not in spawn.parents:
            raise Refused(
                Code.NOT_FOUND,
                f"parent_task_run_external_id: there is no task {item.parent_task_id}",
                field="parent_task_run_external_id",
                index=index,
            )


def _make_children(new_runs: list[NewRun], command: TriggerRuns, spawn: Spawn) -> None:
    """Tell new runs whose children they are, and give them what they inherit."""
    for new_run, item in zip(new_runs, command.items, strict=True):
        parent_id = item.parent_task_id
        parent = None if parent_id is None else spawn.parents.get(parent_id)
        if parent_id is not None and parent is not None:
            new_run.parent_task_id = parent_id
            new_run.child_index = item.child_index
            new_run.child_key = item.child_key or None
            new_run.metadata = inherited(parent, parent_id, new_run.metadata)


def _known_child(turn: Turn, new_run: NewRun, spawn: Spawn) -> UUID | None:
    """The child of the same parent and key, if there is one already (CH-2)."""
    place = _place(new_run)
    return spawn.existing.get(place) or turn.children.get(place) if place is not None else None


def _place(new_run: NewRun) -> tuple[UUID, str] | None:
    """What tells a child from all others: its parent and its key."""
    key = child_key(new_run)
    if new_run.parent_task_id is None or key is None:
        return None
    return new_run.parent_task_id, key


def _create_child(turn: Turn, tenant_id: UUID, new_run: NewRun, spawn: Spawn) -> UUID:
    place = _place(new_run)
    if place is None:
        return create(turn, tenant_id, new_run)
    older = spawn.existing.get(place)
    if older is not None:
        _compare(turn, tenant_id, place, older, new_run)
        return older
    run_id = turn.children.get(place)
    if run_id is None:
        run_id = turn.children[place] = create(turn, tenant_id, new_run)
    return run_id


def _compare(
    turn: Turn, tenant_id: UUID, place: tuple[UUID, str], child_id: UUID, new_run: NewRun
) -> None:
    """Have the parent told if that child was made for something else (CH-4)."""
    parent_id, key = place
    parent = turn.hot.running.get(parent_id)
    turn.plan.reused.append(
        (
            tenant_id,
            turn.ids.new(turn.now_ms),
            parent_id,
            0 if parent is None else parent.attempt,
            key,
            child_id,
            new_run.version.workflow_id,
            *input_mark(new_run, new_run.input),
        )
    )


def check(turn: Turn, command: TriggerRuns) -> list[NewRun]:
    """Look at every item before anything is created (TR-4, TR-7)."""
    limits = turn.limits
    items = command.items
    if len(items) > limits.trigger_items_max:
        raise invalid(
            f"workflows: {len(items)} runs in one call, the limit is {limits.trigger_items_max}; "
            "split the call",
            field="workflows",
        )
    latest = turn.hot.definitions.latest
    tenant_id = command.tenant_id
    unknown = {item.workflow for item in items if (tenant_id, item.workflow) not in latest}
    if unknown:
        raise invalid(
            "workflow names not found: "
            + ", ".join(sorted(unknown))
            + " (start a worker that registers it, or check the name and the namespace)",
            field="name",
        )
    return [
        _check_item(latest[tenant_id, item.workflow], item, limits, index)
        for index, item in enumerate(items)
    ]


def _check_item(version: Version, item: TriggerItem, limits: Limits, index: int) -> NewRun:
    priority = item.priority
    if priority is None:
        priority = version.definition.default_priority or PRIORITY_DEFAULT
    elif not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise invalid(
            f"priority must be between 1 and 3, got {priority}", field="priority", index=index
        )
    text = check_object(item.input, "input", limits.payload_bytes_max, index=index)
    metadata: str | None = None
    if item.metadata:
        metadata = check_object(
            item.metadata, "additional_metadata", limits.metadata_bytes_max, index=index
        )
        if metadata == EMPTY_OBJECT:
            metadata = None
    if item.child_key and len(item.child_key) > limits.child_key_length_max:
        raise invalid(
            f"child_key: is longer than {limits.child_key_length_max} characters",
            field="child_key",
            index=index,
        )
    if item.child_key and "\x00" in item.child_key:
        raise invalid(
            "child_key: holds the null character, which can't be stored",
            field="child_key",
            index=index,
        )
    demand = None
    if item.desired_worker_id is not None or item.desired_labels:
        demand = Demand(worker_id=item.desired_worker_id, labels=item.desired_labels)
    return NewRun(version, text, metadata, priority, demand)


def create(turn: Turn, tenant_id: UUID, new_run: NewRun) -> UUID:
    """Create a run that passed all checks; returns its id. Raises ``KeyTaken``."""
    version = new_run.version
    run_id = turn.ids.new(turn.now_ms)
    key = new_run.key
    if key is not None:
        turn.keys.take(turn, version, key, run_id)
    several = version.several
    demand, error = new_run.demand, None
    if several and version.asks is not None:
        try:
            demand = demand_of_run(
                turn, version, run_id, new_run.input, new_run.metadata, new_run.demand
            )
        except AskError as failed:
            error = str(failed)
    extra = None
    if several or new_run.parent_task_id or demand or new_run.trigger or key is not None:
        extra = (
            new_run.parent_task_id,
            new_run.child_index,
            new_run.child_key,
            text_of(demand),
            new_run.trigger,
            key,
            (TaskKind.DAG if several else TaskKind.STANDALONE).value,
        )
    step = version.steps[0]
    turn.plan.tasks.append(
        NewTask(
            step, run_id, new_run.priority, new_run.input, new_run.metadata, new_run.origin, extra
        )
    )
    if several:
        _begin_dag(turn, run_id, new_run, demand.places if demand is not None else (), error)
    else:
        _begin_task(turn, tenant_id, run_id, step, new_run)
    return run_id


def _begin_dag(
    turn: Turn, run_id: UUID, new_run: NewRun, places: tuple[Place, ...], error: str | None
) -> None:
    """``error``: an expression of the workflow has no result, so the run fails (CON-2)."""
    version = new_run.version
    dag = Dag(
        run_id=run_id,
        version=version,
        task_ids=[turn.ids.new(turn.now_ms) for _ in version.steps],
        priority=new_run.priority,
        input=new_run.input,
        metadata=new_run.metadata or "",
        created_ms=turn.now_ms,
        demand=new_run.demand,
        parent_task_id=new_run.parent_task_id,
        child_index=new_run.child_index,
        child_key=new_run.child_key,
        filter_payload=new_run.filter_payload,
        places=places,
    )
    turn.plan.dags.append(dag)
    turn.hot.dags.add(dag)
    turn.touched.add(dag)
    ended: deque[int] = deque()
    if error is not None:
        for position in ready(dag):
            end_member(turn, dag, position, Member.FAILED, error)
            ended.append(position)
    elif places:
        arrive(turn, waiting_run(turn, dag, new_run.priority))
    else:
        for position in ready(dag):
            begin(turn, dag, position, ended)
    if ended:
        propagate(turn, dag, ended)


def _begin_task(turn: Turn, tenant_id: UUID, id: UUID, step: Step, new_run: NewRun) -> None:
    payload = Payload(
        id,
        new_run.input,
        new_run.metadata or "",
        new_run.priority,
        turn.now_ms,
        new_run.parent_task_id,
        new_run.child_index,
        new_run.child_key,
    )
    if new_run.filter_payload is not None:
        payload.context = f'{{"triggers":{merge_triggers(None, new_run.filter_payload)}}}'
    if turn.events is not None:
        turn.events.append(RunEvent(id, id, "STARTED", "", 0, None, turn.now_ms))
    demand = new_run.demand
    if step.asks is not None:
        try:
            demand = demand_of_single(turn, step, id, new_run.input, new_run.metadata, demand)
        except AskError as error:
            end_at_once(turn, step, id, 0, str(error))
            return
    enqueue(
        turn,
        task_id=id,
        tenant_id=tenant_id,
        step=step,
        priority=new_run.priority,
        demand=demand,
        payload=payload,
    )
