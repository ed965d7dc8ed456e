"""Who gets the places under concurrency keys (CON-*).

During a turn, tasks and runs that want a place, and groups in which one has become free, are noted.
They are decided once everything else that happened has been followed up, all of one key together;
so neither the order of commands within a turn nor a crash between two of them can break a limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import asyncpg

from hatchet_engine.domain.concurrency import REASON, Claim, overflowing
from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn import cancel
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.entering import enter_queue, leave_line, park, release, renew
from hatchet_engine.turn.groups import Group
from hatchet_engine.turn.lifecycle import end_waiting
from hatchet_engine.turn.lines import place_line
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.read_lines import read_lines
from hatchet_engine.turn.state import Turn

EVICT_MAX = 1_000  # cancelled in one go
JUDGED_MAX = 10_000  # of those who wait for one key, judged in one turn by a strategy that cancels


async def evict(loader: Loader, turn: Turn) -> None:
    """Cancel what strategies have decided against; their places are free already."""
    by_tenant: dict[UUID, list[UUID]] = {}
    for tenant_id, holder_id in turn.evicted:
        by_tenant.setdefault(tenant_id, []).append(holder_id)
    turn.evicted.clear()
    for tenant_id, ids in by_tenant.items():
        for start in range(0, len(ids), EVICT_MAX):
            command = CancelTasks(tenant_id, ids[start : start + EVICT_MAX], reason=REASON)
            await loader.command(command)
            cancel.cancel(turn, command)


async def admit(connection: asyncpg.Connection, turn: Turn) -> None:
    """Decide all groups in which something has happened."""
    newcomers = _by_group(turn)
    groups = list(dict.fromkeys([*newcomers, *turn.freed]))
    turn.freed.clear()
    wanted = {group.line: group.free for group in groups if group.free > 0}
    for group in groups:
        if group.cancels:
            # Of those who wait, all have to be known: a newcomer may be the end of one of them.
            group.line.wanted = max(1, min(group.line.depth, JUDGED_MAX))
            wanted[group.line] = group.line.wanted
    await read_lines(connection, turn, wanted)
    for group in groups:
        turn.freed.pop(group, None)  # what others have given back on the way is given out here
        if group.cancels:
            _cancel_some(turn, group, newcomers.get(group, []))
        else:
            _queue_up(turn, group, newcomers.get(group, []))
        _let_in(turn, group)
        turn.hot.groups.forget(group)


def _by_group(turn: Turn) -> dict[Group, list[Queued]]:
    arrivals, turn.arrivals = turn.arrivals, []
    newcomers: dict[Group, list[Queued]] = {}
    for item in arrivals:
        if not item.gone:
            rule = item.rules[item.stage]
            key, most = item.demand.places[item.stage]  # type: ignore[union-attr]
            line_id = place_line(rule.limit_id, key)
            group = turn.hot.groups.get(line_id, rule.strategy, most)
            newcomers.setdefault(group, []).append(item)
    return newcomers


def _queue_up(turn: Turn, group: Group, newcomers: list[Queued]) -> None:
    """Nobody is cancelled; who finds no place waits for its turn (CON-4)."""
    if len(newcomers) > 1:
        newcomers.sort(key=lambda item: (item.rank, item.task_id))
    free = group.free if group.line.depth == 0 else 0
    for position, item in enumerate(newcomers):
        if position < free:
            _pass(turn, group, item)
        else:
            park(turn, item, group.line)


def _let_in(turn: Turn, group: Group) -> None:
    """Free places go to those who wait, in their order."""
    line = group.line
    while group.free > 0 and (item := line.pop()) is not None:
        leave_line(turn, item)
        _pass(turn, group, item)
    line.wanted = 1
    if group.free > 0 and line.wants_reading:
        turn.freed[group] = None
    if group.cancels and len(line.items) < line.depth and not line.complete:
        turn.hot.groups.unsure[group] = None  # the next turn judges the others


def _cancel_some(turn: Turn, group: Group, newcomers: list[Queued]) -> None:
    """Strategies that cancel (CON-5, CON-6)."""
    waiting = {item.task_id: item for item in [*group.line.items.values(), *newcomers]}
    if not waiting:
        return
    verdict = overflowing(
        group.strategy,
        group.limit,
        group.claims(),
        [Claim(item.rank, item.task_id) for item in waiting.values()],
    )
    for claim in verdict.evicted:
        release(turn, claim.id)
        turn.freed.pop(group, None)  # this very place is given out here
        turn.evicted.append((_tenant(waiting.values()), claim.id))
    for claim in verdict.cancelled:
        _cancel(turn, waiting.pop(claim.id))
    for claim in verdict.admitted:
        item = waiting.pop(claim.id)
        if item.line is not None:
            leave_line(turn, item)
        _pass(turn, group, item)
    for item in waiting.values():
        if item.line is None:
            park(turn, item, group.line)


def _tenant(items: Iterable[Queued]) -> UUID:
    """All of a group are of one tenant."""
    return next(iter(items)).tenant_id


def _cancel(turn: Turn, item: Queued) -> None:
    if item.line is not None:
        leave_line(turn, item)
    item.gone = True
    turn.moved.add(item.task_id)
    if item.whole:
        turn.evicted.append((item.tenant_id, item.task_id))
        return
    end_waiting(
        turn,
        tenant_id=item.tenant_id,
        task_id=item.task_id,
        run_id=item.run_id,
        step=item.step,
        attempt=item.attempt,
        kind=EventKind.CANCELLED,
        reason=REASON,
    )


def _pass(turn: Turn, group: Group, item: Queued) -> None:
    """It gets a place, and goes on to its next rule, or into its queue."""
    turn.hot.groups.take(group, item.task_id, item.rank)
    turn.plan.take_place(item.tenant_id, (item.task_id, group.id, item.rank, group.limit))
    item.stage += 1
    renew(turn, item)
    while item.stage < len(item.rules) and _holds(turn, item):
        item.stage += 1
    if item.stage < len(item.rules):
        turn.arrivals.append(item)
    elif item.whole:
        item.gone = True
        turn.admitted_runs.append((item.tenant_id, item.task_id))
    else:
        enter_queue(turn, item)


def _holds(turn: Turn, item: Queued) -> bool:
    """Whether it has the place of its next rule by an earlier one: two rules of one shared limit
    with one key ask for one place."""
    assert item.demand is not None
    line_id = place_line(item.rules[item.stage].limit_id, item.demand.places[item.stage].key)
    return any(group.id == line_id for group in turn.hot.groups.held[item.task_id])
