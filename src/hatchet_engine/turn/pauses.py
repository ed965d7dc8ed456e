"""Pauses begin, change and end (REG-24 to REG-27): of a tenant, a workflow, a concurrency key, a
rate limit, a worker. What runs goes on."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from hatchet_engine.domain.errors import invalid, not_found
from hatchet_engine.domain.rates import check_key
from hatchet_engine.turn.commands import Pause, PausedThing, PauseKind, Resume
from hatchet_engine.turn.held import hold_queues
from hatchet_engine.turn.pause_list import line_of, paused_worker
from hatchet_engine.turn.schedule_runs import look_at_held
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.workers import Worker

TEXT_LENGTH_MAX = 1_000  # of who and why


def pause(turn: Turn, command: Pause) -> PausedThing:
    """Begin or change a pause."""
    _check(turn, command)
    known = turn.hot.pauses.find(command.tenant_id, command.kind, command.target)
    fields = asdict(command)
    thing = PausedThing(since_ms=known.since_ms if known else turn.now_ms, **fields)
    turn.hot.pauses.add(thing)
    turn.plan.pauses[thing.tenant_id, thing.kind, thing.target] = thing
    if known is not None and known.drop_scheduled and not thing.drop_scheduled:
        look_at_held(turn)
    if thing.kind is PauseKind.CONCURRENCY_KEY:
        turn.hot.groups.pause(thing.target)
    elif thing.kind is PauseKind.RATE_LIMIT:
        _pause_limit(turn, thing)
    elif thing.kind is PauseKind.WORKER:
        _set_paused(turn, _worker(turn, thing), True)
    else:
        # An earlier pause may have ended just now: what it still holds is held on.
        turn.hot.pauses.released.pop(turn.hot.lines.get(line_of(thing)), None)
        hold_queues(turn, thing.tenant_id)
        turn.hot.batches.look_again(thing.tenant_id)
    return thing


def _check(turn: Turn, command: Pause) -> None:
    for field in ("by", "reason"):
        text = getattr(command, field)
        if len(text) > TEXT_LENGTH_MAX or "\x00" in text:
            raise invalid(
                f"{field}: at most {TEXT_LENGTH_MAX} characters, none of them null", field=field
            )
    if command.until_ms is not None and command.until_ms <= turn.now_ms:
        raise invalid("until: is in the past", field="until")
    if command.queue_ttl_ms is not None and command.queue_ttl_ms < 1:
        raise invalid("queue_ttl: must be at least one millisecond", field="queue_ttl")
    _check_target(turn, command)


def _check_target(turn: Turn, command: Pause) -> None:
    kind, target = command.kind, command.target
    if kind is PauseKind.WORKFLOW:
        latest = turn.hot.definitions.latest.values()
        if not any(
            str(one.workflow_id) == target and one.tenant_id == command.tenant_id for one in latest
        ):
            raise not_found(f"target: there is no workflow {target}")
    elif kind is PauseKind.TENANT and target:
        raise invalid("target: a tenant's pause has none", field="target")
    elif kind is PauseKind.CONCURRENCY_KEY and not target:
        raise invalid("target: is required", field="target")
    elif kind is PauseKind.RATE_LIMIT:
        check_key(target, turn.limits.rate_key_bytes_max)
    elif kind is PauseKind.WORKER and _worker(turn, command) is None:
        raise not_found(f"target: there is no worker {target}")


def resume(turn: Turn, command: Resume) -> bool:
    """End a pause."""
    thing = turn.hot.pauses.find(command.tenant_id, command.kind, command.target)
    if thing is None:
        return False
    _end(turn, thing)
    return True


def end_due(turn: Turn) -> None:
    """Pauses whose time is over."""
    for thing in turn.hot.pauses.due(turn.now_ms):
        _end(turn, thing)


def _end(turn: Turn, thing: PausedThing) -> None:
    hot = turn.hot
    hot.pauses.remove(thing)
    turn.plan.pauses[thing.tenant_id, thing.kind, thing.target] = None
    if thing.kind is PauseKind.CONCURRENCY_KEY:
        group = hot.groups.resume(thing.target)
        if group is not None:
            turn.freed[group] = None
    elif thing.kind is PauseKind.RATE_LIMIT:
        _resume_limit(turn, thing)
    elif thing.kind is PauseKind.WORKER:
        _set_paused(turn, _worker(turn, thing), False)
    else:
        if thing.drop_scheduled:
            look_at_held(turn)
        line = hot.lines.get(line_of(thing))
        if line.depth:
            hot.pauses.released[line] = None


# ---------------------------------------------------------------- rate limits


def _pause_limit(turn: Turn, thing: PausedThing) -> None:
    bucket = turn.hot.buckets.get(thing.tenant_id, thing.target)
    bucket.meter.paused = True
    bucket.gone = False  # an unknown key is made
    turn.plan.buckets[bucket] = None


def _resume_limit(turn: Turn, thing: PausedThing) -> None:
    bucket = turn.hot.buckets.get(thing.tenant_id, thing.target)
    bucket.meter.paused = False
    if bucket.waited_for:
        turn.hot.buckets.look_at(bucket, turn.now_ms)


# ---------------------------------------------------------------- workers


def _worker(turn: Turn, of: Pause | PausedThing) -> Worker | None:
    worker_id = paused_worker(of.target)
    worker = turn.hot.workers.get(worker_id) if worker_id is not None else None
    return worker if worker is not None and worker.tenant_id == of.tenant_id else None


def _set_paused(turn: Turn, worker: Worker | None, paused: bool) -> None:
    """It counts from the next assignment on (WK-6); one that is away keeps its pause."""
    if worker is None:
        return
    worker.paused = paused
    turn.hot.refresh_assignable(worker)
    turn.schedule_worker_check()  # it may have been given up before and just been read again
    turn.offer(worker)


def forget_worker(turn: Turn, tenant_id: UUID, worker_id: UUID) -> None:
    """A worker that has left for good needs no pause."""
    resume(turn, Resume(tenant_id, PauseKind.WORKER, str(worker_id)))
