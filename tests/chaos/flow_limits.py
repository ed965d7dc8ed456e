"""That limits held, as workers saw it; every failure names the limit and who broke it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.chaos.flow import (
    API,
    API_UNITS,
    BATCH_SIZE,
    CHOSEN_WORKER,
    KEY_UNITS,
    RULES,
    Done,
)
from tests.chaos.flow_evidence import Evidence, Interval, Row

WINDOW_MS = 1_000


def most_at_once(intervals: Iterable[Interval]) -> list[Interval]:
    """Who was under way at the moment when most were. What ends makes room for what begins."""
    edges = []
    for one in intervals:
        edges += [(one.begin_ms, 1, one), (one.end_ms, 0, one)]
    at_once: list[Interval] = []
    most: list[Interval] = []
    for _, begins, one in sorted(edges):
        if begins:
            at_once.append(one)
        elif one in at_once:
            at_once.remove(one)
        if len(at_once) > len(most):
            most = list(at_once)
    return most


def windows_fit(takes: list[tuple[float, int]], limit: int) -> bool:
    """Whether these (time, units), in order, can have been taken from windows of `limit`, none of
    which began before the one before it had passed."""
    # For each take, the earliest begin of the window in which it is the last one; None: no way.
    begins: list[float | None] = []
    for last, (last_ms, _) in enumerate(takes):
        best: float | None = None
        units = 0
        for first in range(last, -1, -1):  # of the same window
            first_ms, count = takes[first]
            units += count
            if units > limit or first_ms <= last_ms - WINDOW_MS:
                break
            begin_ms = last_ms - WINDOW_MS + 1
            if first:
                before_ms = begins[first - 1]
                if before_ms is None:
                    continue
                begin_ms = max(begin_ms, before_ms + WINDOW_MS)
            if begin_ms <= first_ms and (best is None or begin_ms < best):
                best = begin_ms
        begins.append(best)
    return not begins or begins[-1] is not None


def check_limits(evidence: Evidence) -> None:
    check_concurrency(evidence)
    check_units(evidence)
    check_routes(evidence)
    check_batches(evidence)


def check_concurrency(evidence: Evidence) -> None:
    """CON-1, CON-18: of each key never more at once than its rule says."""
    groups: dict[tuple[str, str, str], list[tuple[Row, int]]] = {}
    for workflow, rules in RULES.items():
        for rule in rules:
            for run in evidence.of(workflow):
                key = str(getattr(run.job, rule.field))
                group = groups.setdefault((rule.name or workflow, rule.field, key), [])
                group.append((run, rule.places(run.job)))
    for (name, field, key), members in groups.items():
        seen = [evidence.seen(run) for run, _ in members]
        most = most_at_once(one for one in seen if one is not None)
        assert len(most) <= min(places for _, places in members), (
            f"concurrency of {name}, {field} {key!r}: {len(most)} at once: {most}"
        )


def check_units(evidence: Evidence) -> None:
    """RL-6, RL-7: of each key never more units in a window than its limit, and what it has left is
    what was not taken, to the unit."""
    _check_meter(API, evidence, evidence.of("metered", "api-only"), API_UNITS, lambda run: 1)
    for key, runs in evidence.by_key("metered").items():
        _check_meter(f"key-{key}", evidence, runs, KEY_UNITS, _units)
    for key, runs in evidence.by_key("api-only").items():
        _check_left(f"minute-{key}", evidence, _takes(runs, _units))


def _units(run: Row) -> int:
    return run.job.units


def _takes(runs: list[Row], units: Callable[[Row], int]) -> list[tuple[float, int]]:
    """Time and number of the units of every attempt, in order."""
    return sorted((at_ms, units(run)) for run in runs for at_ms in run.assigned.values())


def _check_meter(
    key: str, evidence: Evidence, runs: list[Row], limit: int, units: Callable[[Row], int]
) -> None:
    takes = _takes(runs, units)
    assert windows_fit(takes, limit), f"rate limit {key}: over {limit} in a window: {takes}"
    _check_left(key, evidence, takes)
    # Workers get what was placed a moment later, after a kill much later; but never too early.
    starts = sorted((at_ms, units(run)) for run in runs for at_ms in evidence.starts_ms(run))
    begun = 0
    for at_ms, count in starts:
        begun += count
        # The first window may have begun before its first unit was taken.
        windows = int(at_ms - takes[0][0]) // WINDOW_MS + 2
        assert begun <= windows * limit, (
            f"rate limit {key}: {begun} units had begun within {windows} windows of {limit}"
        )


def _check_left(key: str, evidence: Evidence, takes: list[tuple[float, int]]) -> None:
    """The last window; that of a minute goes on over several kills."""
    meter = evidence.meters[key]
    taken = sum(count for at_ms, count in takes if at_ms >= meter.began_ms)
    assert meter.taken == taken, f"rate limit {key}: {taken} units were taken, and it says {meter}"


def check_routes(evidence: Evidence) -> None:
    """RO-4: only where the label is. RO-12: a run stays on its worker."""
    for run in evidence.of("routed"):
        workers = {span.worker for span in evidence.spans[run.id]}
        assert workers == {CHOSEN_WORKER}, f"on a worker without its label: {run}: {workers}"
    for run in evidence.of("film"):
        workers = {span.worker for task in run.tasks for span in evidence.spans[task.id]}
        assert len(workers) == 1, f"not on one worker: {run}: {workers}"


def check_batches(evidence: Evidence) -> None:
    """BA-6: a result for each. BA-3, BA-4: one group, its size, and one batch of it at once."""
    batches: dict[str, list[Row]] = {}
    for run in evidence.of("batch"):
        done = Done.model_validate_json(run.output or "")
        assert done.number == run.job.number, f"the result of another one: {run}: {done}"
        batches.setdefault(done.batch, []).append(run)
    by_key: dict[str, list[Interval]] = {}
    for batch, runs in batches.items():
        assert len(runs) <= BATCH_SIZE, f"batch {batch} has {len(runs)} members"
        keys = {run.job.key for run in runs}
        assert len(keys) == 1, f"batch {batch} mixes groups: {keys}"
        last = [span for run in runs for span in evidence.spans[run.id][-1:]]
        by_key.setdefault(keys.pop(), []).append(Interval(*evidence.hull(last), batch))
    for key, intervals in by_key.items():
        most = most_at_once(intervals)
        assert len(most) <= 1, f"batches of group {key!r} at once: {most}"
