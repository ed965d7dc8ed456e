"""Why no worker takes a task. Only looks at the hot state; the rules are those of ``place.py``."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hatchet_engine.domain.labels import DesiredLabel, score, unmet
from hatchet_engine.domain.why import (
    TASKS_SHOWN_MAX,
    WORKERS_SHOWN_MAX,
    Blocker,
    Kind,
    LabelMiss,
    TaskOnWorker,
    WorkerUse,
    counted,
)
from hatchet_engine.turn.commands import PauseKind
from hatchet_engine.turn.pause_list import pause_words
from hatchet_engine.turn.state import Hot
from hatchet_engine.turn.workers import Running, Worker


@dataclass(slots=True, frozen=True)
class Asked:
    """What a task asks of a worker. ``bound_to``: the only worker that may have it."""

    tenant_id: UUID
    action: str
    units: Mapping[str, int]
    labels: dict[str, DesiredLabel]
    bound_to: UUID | None = None


def worker_blocker(hot: Hot, asked: Asked, *, lasting: bool = False) -> Blocker | None:
    """What keeps workers from taking it; None if one could now. ``lasting``: slots that will be
    free again are no hindrance, because the task waits for something else first."""
    if asked.bound_to is not None:
        return _sticky(hot, asked, asked.bound_to, lasting=lasting)
    queue = hot.queues_by_action.get((asked.tenant_id, asked.action))
    ready = queue.workers if queue is not None else []
    if not ready:
        return _none(hot, asked)
    suited = [worker for worker in ready if _is_suited(worker, asked)]
    large = [worker for worker in suited if _is_large(worker, asked.units)]
    if not large:
        able = [
            worker
            for worker in _offering(hot, asked)
            if _is_suited(worker, asked) and _is_large(worker, asked.units)
        ]
        if able:
            return _held_back(hot, asked, able, Kind.SLOTS if suited else Kind.LABELS)
        return _slots(asked, suited) if suited else _labels(asked, ready)
    if lasting or any(worker.fits(asked.units) for worker in large):
        return None
    return _full(asked, large)


def _offering(hot: Hot, asked: Asked) -> list[Worker]:
    """Workers with the action, also those that are paused or away."""
    return [
        worker
        for worker in hot.workers.values()
        if worker.tenant_id == asked.tenant_id and asked.action in worker.actions
    ]


def _none(hot: Hot, asked: Asked) -> Blocker:
    offering = _offering(hot, asked)
    if not offering:
        message = f"No worker offers {asked.action}"
        remedy = f"Start a worker that offers {asked.action}"
    else:
        states, remedy = _states(hot, offering)
        message = f"No worker takes {asked.action} now; {states}"
    return Blocker(
        Kind.NO_WORKER,
        f"{message}.",
        f"{remedy}.",
        action=asked.action,
        workers=_uses(offering),
        workers_total=len(offering),
    )


def _held_back(hot: Hot, asked: Asked, able: Sequence[Worker], kind: Kind) -> Blocker:
    """Others are there, but only these could have it, and they are paused or away."""
    what = "labels it requires" if kind is Kind.LABELS else "slots it needs"
    states, remedy = _states(hot, able)
    return Blocker(
        kind,
        f"No worker of {asked.action} with the {what} takes tasks now; {states}.",
        f"{remedy}.",
        action=asked.action,
        slots=dict(asked.units) if kind is Kind.SLOTS else None,
        workers=_uses(able),
        workers_total=len(able),
    )


def _states(hot: Hot, workers: Sequence[Worker]) -> tuple[str, str]:
    """What keeps connected or known workers from taking anything, and what to do about it."""
    paused = [worker for worker in workers if worker.state == "paused"]
    draining = [worker.name for worker in workers if worker.state == "draining"]
    away = [worker.name for worker in workers if worker.state == "away"]
    parts = []
    if len(paused) == 1:
        parts.append(f"{paused[0].name} is {_paused(hot, paused[0])}")
    elif paused:
        parts.append(f"paused: {_names([worker.name for worker in paused])}")
    if draining:
        parts.append(f"about to stop: {_names(draining)}")
    if away:
        parts.append(f"away, without a connection: {_names(away)}")
    if paused:
        remedy = f"Resume {min(worker.name for worker in paused)}, or start another worker"
    elif away:
        remedy = f"Bring back {min(away)}, or start another worker"
    else:
        remedy = "Start another worker"
    return "; ".join(parts), remedy


def _paused(hot: Hot, worker: Worker) -> str:
    """By whom, until when and why."""
    thing = hot.pauses.find(worker.tenant_id, PauseKind.WORKER, str(worker.id))
    return "paused" if thing is None else pause_words(thing)


def _labels(asked: Asked, ready: Sequence[Worker]) -> Blocker:
    nearest = min(ready, key=lambda worker: (len(unmet(asked.labels, worker.labels)), worker.name))
    misses = tuple(
        LabelMiss(key, asked.labels[key].text, nearest.labels.get(key))
        for key in unmet(asked.labels, nearest.labels)
    )
    if misses:
        told = "; ".join(_miss_text(miss) for miss in misses)
        message = (
            f"No worker of {asked.action} has the labels it requires; "
            f"the nearest is {nearest.name}: {told}"
        )
        wanted = ", ".join(f"{miss.key} {miss.wanted}" for miss in misses)
        remedy = f"Start a worker with {wanted}, or set that on {nearest.name}"
    else:
        message = (
            f"The weights of its labels add up to less than 0 on each worker of {asked.action}"
        )
        remedy = "Start a worker that meets more of its labels, or raise their weights"
    return Blocker(
        Kind.LABELS,
        f"{message}.",
        f"{remedy}.",
        action=asked.action,
        workers=(use(nearest),),
        workers_total=len(ready),
        labels=misses,
    )


def _miss_text(miss: LabelMiss) -> str:
    has = "it has none" if miss.offered is None else f"it has {miss.offered}"
    return f"{miss.key} must be {miss.wanted}, {has}"


def _slots(asked: Asked, suited: Sequence[Worker]) -> Blocker:
    needed = _slots_text(asked.units)
    return Blocker(
        Kind.SLOTS,
        f"It takes {needed}, and no worker of {asked.action} has as many, busy or not.",
        f"Start a worker with {needed} or more, or let the task take fewer.",
        action=asked.action,
        slots=dict(asked.units),
        workers=_uses(suited),
        workers_total=len(suited),
    )


def _full(asked: Asked, large: Sequence[Worker]) -> Blocker:
    if len(large) == 1:
        message = f"Worker {large[0].name} is full: {_use_text(large[0], asked)}"
    else:
        some = "; ".join(
            f"{worker.name} {_use_text(worker, asked)}" for worker in _shown(large)[:3]
        )
        message = f"All {len(large)} workers of {asked.action} are full: {some}"
    return Blocker(
        Kind.WORKERS_FULL,
        f"{message}.",
        "Wait until one of their tasks ends, start another worker, or give them more slots.",
        action=asked.action,
        slots=dict(asked.units),
        workers=_uses(large),
        workers_total=len(large),
    )


def _sticky(hot: Hot, asked: Asked, worker_id: UUID, *, lasting: bool) -> Blocker | None:
    worker = hot.workers.get(worker_id)
    workers: tuple[WorkerUse, ...] = ()
    if worker is None:
        told, remedy = f"worker {worker_id}, which has left", "Cancel the run and start a new one"
    else:
        workers = (use(worker),)
        if not worker.assignable:
            told = f"worker {worker.name}, which is {worker.state}"
            remedy = "Bring it back"
            if worker.state == "paused":
                told = f"worker {worker.name}, which is {_paused(hot, worker)}"
                remedy = "Resume it"
        elif asked.action not in worker.actions:
            told = f"worker {worker.name}, which does not offer {asked.action}"
            remedy = f"Let it offer {asked.action}"
        elif not _is_large(worker, asked.units):
            told = f"worker {worker.name}, which has too few slots for it at all"
            remedy = f"Give it {_slots_text(asked.units)} or more"
        elif lasting or worker.fits(asked.units):
            return None
        else:
            told = f"worker {worker.name}, which is full: {_use_text(worker, asked)}"
            remedy = "Wait until one of its tasks ends, or give it more slots"
    return Blocker(
        Kind.STICKY,
        f"It may only run on {told}.",
        f"{remedy}.",
        action=asked.action,
        slots=dict(asked.units),
        workers=workers,
        workers_total=len(workers),
    )


def _is_suited(worker: Worker, asked: Asked) -> bool:
    return score(asked.labels, worker.labels) is not None


def _is_large(worker: Worker, units: Mapping[str, int]) -> bool:
    return all(worker.slots.get(slot_type, 0) >= count for slot_type, count in units.items())


def _use_text(worker: Worker, asked: Asked) -> str:
    """What is missing of the slots it needs."""
    return ", ".join(
        f"{worker.slots[slot_type] - worker.free[slot_type]} of {worker.slots[slot_type]} "
        f"{slot_type} slots in use"
        for slot_type, count in asked.units.items()
        if count > worker.free.get(slot_type, 0)
    )


def _slots_text(units: Mapping[str, int]) -> str:
    return ", ".join(
        counted(count, f"{slot_type} slot") for slot_type, count in sorted(units.items())
    )


def _names(names: Sequence[str]) -> str:
    more = len(names) - WORKERS_SHOWN_MAX
    text = ", ".join(sorted(names)[:WORKERS_SHOWN_MAX])
    return f"{text} and {more} more" if more > 0 else text


def _shown(workers: Iterable[Worker]) -> list[Worker]:
    return heapq.nsmallest(WORKERS_SHOWN_MAX, workers, key=lambda worker: (worker.name, worker.id))


def _uses(workers: Iterable[Worker]) -> tuple[WorkerUse, ...]:
    return tuple(use(worker) for worker in _shown(workers))


def use(worker: Worker) -> WorkerUse:
    """A worker with some of the tasks that hold its slots, the oldest first."""
    holding = [running for running in worker.running.values() if not running.released]
    oldest = heapq.nsmallest(TASKS_SHOWN_MAX, holding, key=_age)
    return WorkerUse(
        worker.id,
        worker.name,
        worker.state,
        dict(worker.slots),
        dict(worker.free),
        tuple(TaskOnWorker(one.task_id, one.step.name, one.assigned_ms) for one in oldest),
        len(holding),
    )


def _age(running: Running) -> tuple[int, UUID]:
    return running.assigned_ms, running.task_id
