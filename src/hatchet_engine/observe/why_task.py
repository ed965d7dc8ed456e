"""What blocks one task that has not ended; from rows that were read and the hot state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hatchet_engine.domain.conditions import CANCEL, QUEUE, SKIP
from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.rates import Meter
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.domain.why import Awaited, Blocker, Kind, Parent, moment
from hatchet_engine.observe.dags import parents_of
from hatchet_engine.observe.rows import TaskRow
from hatchet_engine.observe.standing import BACKOFF, LINE, WORKER, Standing
from hatchet_engine.turn.asks import Rule
from hatchet_engine.turn.commands import PausedThing, PauseKind
from hatchet_engine.turn.lines import is_batch_line, is_place_line, is_units_line
from hatchet_engine.turn.pause_list import pause_words
from hatchet_engine.turn.state import Hot
from hatchet_engine.turn.why_batches import batch_blocker, first_demand
from hatchet_engine.turn.why_limits import concurrency_blockers, key_of, rate_blockers
from hatchet_engine.turn.why_workers import Asked, use, worker_blocker

HARD = "HARD"


@dataclass(slots=True, frozen=True)
class Facts:
    """``hot`` None: this node does not own the shard. ``run``: all tasks of the run."""

    tenant_id: UUID
    now_ms: int
    hot: Hot | None
    run: Sequence[TaskRow]
    standings: Mapping[UUID, Standing]  # of tasks, and of a run that waits to begin
    awaited: Mapping[UUID, Sequence[Awaited]]
    pauses: Sequence[PausedThing]
    meter_of: Callable[[str], Meter | None]


def blockers_of(facts: Facts, task: TaskRow) -> list[Blocker]:
    """What has to change before the task goes on; the first is what it waits for now."""
    standing = facts.standings.get(task.id)
    if standing is None:
        return _without_row(facts, task)
    if standing.kind == WORKER:
        return [_running(facts, task, standing)]
    blockers = _pauses(facts, standing)
    if standing.kind == LINE:
        blockers += _line(facts, task, standing)
    else:
        if standing.kind == BACKOFF:
            blockers.append(_backoff(task, standing))
        blockers += _rates(facts, standing)
    worker = _worker(facts, task, standing, lasting=bool(blockers))
    if worker is not None:
        blockers.append(worker)
    return blockers or [_soon("It is being given to a worker.")]


def run_blockers(facts: Facts, run: TaskRow, standing: Standing) -> list[Blocker]:
    """The same of a run none of whose tasks may begin yet."""
    return [*_pauses(facts, standing), *_line(facts, run, standing)]


def definition_of(task: TaskRow) -> TaskDefinition | None:
    return task.version.task(task.step) if task.version is not None else None


# ---------------------------------------------------------------- by the row it has


def _running(facts: Facts, task: TaskRow, standing: Standing) -> Blocker:
    worker = facts.hot.workers.get(task.worker_id) if facts.hot and task.worker_id else None
    name = worker.name if worker is not None else str(task.worker_id)
    if worker is not None and worker.session is None:
        name += ", which has lost its connection,"
    assert standing.since_ms is not None
    return Blocker(
        Kind.RUNNING,
        f"It runs on worker {name} since {moment(standing.since_ms)}; "
        f"its time is over at {moment(standing.until_ms)}.",
        workers=(use(worker),) if worker is not None else (),
        since_ms=standing.since_ms,
        until_ms=standing.until_ms,
        attempt=standing.attempt + 1,
        attempts=_attempts(task),
    )


def _line(facts: Facts, task: TaskRow, standing: Standing) -> list[Blocker]:
    line = standing.line
    if is_place_line(line):
        blockers = concurrency_blockers(facts.hot, line, _rules(facts, task), standing.demand)
        return blockers + _rates(facts, standing)
    if is_units_line(line):
        return _rates(facts, standing, key_of(line))
    if is_batch_line(line):
        blocker = batch_blocker(facts.hot, line, facts.now_ms)
        return [blocker] if blocker is not None else []
    return []  # of a pause or of no worker, which are told as such


def _rates(facts: Facts, standing: Standing, waits_for: str | None = None) -> list[Blocker]:
    paused = {one.target for one in facts.pauses if one.kind is PauseKind.RATE_LIMIT}
    return rate_blockers(
        facts.meter_of,
        standing.demand,
        facts.now_ms,
        waits_for if waits_for not in paused else None,  # which is told
    )


def _backoff(task: TaskRow, standing: Standing) -> Blocker:
    # A replay gives a fresh budget, while attempts count on.
    attempt, attempts = standing.retries + 1, _attempts(task)
    of = f" of {attempts}" if attempts else ""
    return Blocker(
        Kind.BACKOFF,
        f"Attempt {attempt}{of} begins at {moment(standing.until_ms)}, after a failure.",
        "Wait until then.",
        until_ms=standing.until_ms,
        attempt=attempt,
        attempts=attempts,
    )


def _worker(facts: Facts, task: TaskRow, standing: Standing, *, lasting: bool) -> Blocker | None:
    definition = definition_of(task)
    if definition is None or task.version is None:
        return None
    if facts.hot is None:
        if lasting:
            return None
        text = f"It waits for a worker that offers {definition.action}."
        return Blocker(Kind.STANDBY, text, action=definition.action)
    demand = first_demand(facts.hot, standing.line) or standing.demand
    labels, bound_to = definition.labels, None
    if demand is not None:
        if demand.labels and demand.group is None:  # of batches the definition's count (RO-9)
            labels = demand.labels
        if task.version.definition.sticky == HARD:
            bound_to = demand.worker_id
    asked = Asked(
        facts.tenant_id,
        definition.action,
        definition.slots or {"default": 1},
        labels,
        bound_to,
    )
    return worker_blocker(facts.hot, asked, lasting=lasting)


# ---------------------------------------------------------------- without a row of its own


def _without_row(facts: Facts, task: TaskRow) -> list[Blocker]:
    whole = facts.standings.get(task.run_id)
    if task.kind is TaskKind.MEMBER and whole is not None:
        return run_blockers(facts, task, whole)
    definition = definition_of(task)
    awaited = facts.awaited.get(task.id)
    if awaited and definition is not None:
        return [_conditions(definition, awaited), *_pauses(facts)]
    if definition is not None and definition.on_failure:
        return [Blocker(Kind.PARENTS, "It runs when another task of its run has failed.")]
    open_parents = [one for one in parents_of(task, facts.run) if not one.status.final]
    if open_parents:
        return [_parents(open_parents)]
    return [_soon("It has just begun, ended or moved: ask again.")]


def _parents(parents: Sequence[TaskRow]) -> Blocker:
    names = ", ".join(f"{one.task_name} ({one.status.name.lower()})" for one in parents)
    running = all(one.status is Status.RUNNING for one in parents)
    return Blocker(
        Kind.PARENTS,
        f"It comes after tasks that have not ended: {names}.",
        "Wait until they end." if running else "See what they wait for.",
        parents=tuple(Parent(one.id, one.task_name, one.status) for one in parents),
    )


def _conditions(definition: TaskDefinition, awaited: Sequence[Awaited]) -> Blocker:
    """What is watched to skip or cancel the task is told, and is no condition: it holds nothing
    back."""
    groups: dict[str, list[Awaited]] = {}
    others: dict[str, list[str]] = {}
    for one in awaited:
        condition = definition.conditions[one.position]
        known = replace(one, group=condition.or_group, expression=condition.expression)
        if condition.action == QUEUE:
            groups.setdefault(known.group, []).append(known)
        elif not known.met:
            others.setdefault(condition.action, []).append(known.text)
    unmet = [group for group in groups.values() if not any(one.met for one in group)]
    told = ", and ".join(" or ".join(one.text for one in group) for group in unmet)
    helps = ", and ".join(" or ".join(_help(one) for one in group) for group in unmet)
    dues = [one.due_ms for group in unmet for one in group if one.due_ms is not None]
    return Blocker(
        Kind.CONDITIONS,
        f"It waits for {told}." + _watched(others),
        f"{helps[:1].upper()}{helps[1:]}.",
        until_ms=min(dues, default=None),
        conditions=tuple(one for group in groups.values() for one in group),
    )


def _watched(others: Mapping[str, Sequence[str]]) -> str:
    """What would be the end of the wait in another way."""
    ends = {SKIP: "skipped", CANCEL: "cancelled"}
    return "".join(
        f" It is {ends[action]} on {' or '.join(texts)}."
        for action, texts in sorted(others.items())
    )


def _help(one: Awaited) -> str:
    return f"wait until {one.text}" if one.due_ms is not None else f"push {one.text}"


def _soon(text: str) -> Blocker:
    return Blocker(Kind.SOON, text)


# ---------------------------------------------------------------- what all may have


def _pauses(facts: Facts, standing: Standing | None = None) -> list[Blocker]:
    """Those that are on and concern it; of keys those that it stands for or asks units of."""
    demand = standing.demand if standing is not None else None
    units = {one.key for one in demand.units if one.units} if demand is not None else set()
    line = standing.line if standing is not None else None
    return [
        pause_blocker(thing)
        for thing in facts.pauses
        if (thing.kind is not PauseKind.CONCURRENCY_KEY or thing.target == line)
        and (thing.kind is not PauseKind.RATE_LIMIT or thing.target in units)
    ]


def pause_blocker(thing: PausedThing) -> Blocker:
    key = None
    what = "Its tenant"
    if thing.kind is PauseKind.WORKFLOW:
        what = "Its workflow"
    elif thing.kind is PauseKind.CONCURRENCY_KEY:
        key = key_of(thing.target)
        what = f"Its concurrency key {key!r}"
    elif thing.kind is PauseKind.RATE_LIMIT:
        key = thing.target
        what = f"Its rate limit {key!r}"
    return Blocker(
        Kind.PAUSED,
        f"{what} is {pause_words(thing)}.",
        "Resume it." if thing.until_ms is None else "Resume it, or wait until then.",
        key=key,
        line=thing.target if thing.kind is PauseKind.CONCURRENCY_KEY else None,
        since_ms=thing.since_ms,
        until_ms=thing.until_ms,
        by=thing.by or None,
        reason=thing.reason or None,
    )


def _attempts(task: TaskRow) -> int | None:
    definition = definition_of(task)
    return None if definition is None else definition.retries + 1


def _rules(facts: Facts, task: TaskRow) -> Sequence[Rule]:
    """The concurrency rules that a task, or a run as a whole, has to pass."""
    version = facts.hot.definitions.versions.get(task.version_id) if facts.hot else None
    if version is None:
        return ()
    return version.rules if task.kind is TaskKind.DAG else version.steps[task.step].rules
