"""The promises of flow control over faults; every failure names the promise, and for which run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from hatchet_engine.domain.concurrency import REASON
from hatchet_engine.domain.states import Status
from tests.chaos.flow import BY_CLOCK, CANCELLING, METERED, Done
from tests.chaos.flow_evidence import Evidence, Row
from tests.chaos.flow_limits import check_limits
from tests.chaos.flow_load import CRONS, SLOW_CRON, FlowLoad, Held

SECOND = timedelta(seconds=1)
FOR_NEWER = ("newest", "newest-waits")  # strategies that cancel for a newer run


def check_flow(load: FlowLoad, evidence: Evidence, last_ticks: dict[str, int]) -> None:
    """All of them; `last_ticks`: what the rows of the crons say about the last one, in ms."""
    check_acknowledged(load, evidence)
    check_ends(evidence)
    check_attempts(evidence)
    check_limits(evidence)
    check_keys(load, evidence)
    check_crons(evidence, last_ticks)
    check_scheduled(load, evidence)
    check_pauses(load.held, evidence)


def check_acknowledged(load: FlowLoad, evidence: Evidence) -> None:
    """Each answered trigger is one run, with the id and the end that its caller was told."""
    for number, run_id in load.told.items():
        runs = evidence.by_number.get(number, [])
        what = f"{load.jobs[number]}, answered with run {run_id}"
        assert [run.id for run in runs] == [run_id], f"lost or doubled: {what}: {runs}"
        assert number in load.ends, f"its caller got no result: {what}"
        end = load.ends[number]
        assert (end is None) == (runs[0].status is Status.CANCELLED), f"told otherwise: {runs[0]}"
        for done in _results(end):
            assert done.number == number, f"the result of another one: {what}: {done}"
    for number in load.doubt:
        runs = evidence.by_number.get(number, [])
        assert len(runs) <= 1, f"doubled: {load.jobs[number]}: {runs}"


def _results(end: Done | dict[str, Done] | None) -> Iterable[Done]:
    if end is None:
        return []
    return [end] if isinstance(end, Done) else map(Done.model_validate, end.values())


def check_ends(evidence: Evidence) -> None:
    """Everything completes, but for what strategies cancel; those keep the right ones."""
    for run in evidence.runs:
        if run.workflow in CANCELLING and run.status is Status.CANCELLED:
            assert run.error == REASON, f"cancelled for another reason: {run}: {run.error}"
        else:
            assert run.status is Status.COMPLETED, f"not completed: {run}: {run.error}"
    for workflow in CANCELLING:
        for runs in evidence.by_key(workflow).values():
            kept = runs[-1] if workflow in FOR_NEWER else runs[0]
            assert kept.status is Status.COMPLETED, f"the wrong one was cancelled: {kept}"
            for run in runs:
                if run.status is Status.CANCELLED:
                    _check_cancelled(run, runs)


def _check_cancelled(run: Row, runs: list[Row]) -> None:
    """For another one, which was under way at that moment."""
    assert any(
        other.created_ms <= run.finished_ms <= other.finished_ms
        for other in runs
        if other is not run and (run.workflow not in FOR_NEWER or other.id > run.id)
    ), f"cancelled for nobody: {run} at {run.finished_ms:.0f}"


def check_attempts(evidence: Evidence) -> None:
    """As many as failures demand, and each was begun; that none was begun twice, the journal
    itself checks."""
    for task in evidence.tasks:
        if task.status is not Status.COMPLETED:
            continue
        expected, moved = len(task.job.fail_on), evidence.moved[task.id]
        assert expected <= task.attempt <= expected + moved, (
            f"attempt {task.attempt} was the last one, {moved} were moved: {task}"
        )
        begun = {span.attempt for span in evidence.spans[task.id]}
        missing = set(range(task.attempt + 1)) - begun
        assert len(missing) <= moved, f"no worker has begun attempts {missing} of {task}"
        assert task.attempt not in missing, f"completed without having begun: {task}"


def check_keys(load: FlowLoad, evidence: Evidence) -> None:
    """ID-2, ID-6: one run for each key, ever or at once; and callers were told which."""
    for name in ("once", "alone"):
        by_key = evidence.by_key(name)
        for key, told in load.holders[name].items():
            runs = by_key.get(key, [])
            unknown = set(told) - {run.id for run in runs}
            assert not unknown, f"idempotency key {key!r}: told {unknown}, stored {runs}"
    for key, runs in evidence.by_key("once").items():
        assert len(runs) == 1, f"idempotency key {key!r} has created {runs}"
    for key, runs in evidence.by_key("alone").items():
        for earlier, later in pairwise(runs):
            assert earlier.finished_ms <= later.created_ms, (
                f"idempotency key {key!r}: {later} was created while {earlier} was under way"
            )


def check_crons(evidence: Evidence, last_ticks: dict[str, int]) -> None:
    """CR-*: a run for each second, up to the last one; of the slow cron never two at once."""
    by_cron: dict[str, list[Row]] = {}
    for run in evidence.of("ticking"):
        assert run.job.number == BY_CLOCK, f"no cron has started {run}"
        by_cron.setdefault(run.metadata["hatchet__cron_name"], []).append(run)
    assert len(by_cron) == CRONS + 2, f"crons that have fired: {sorted(by_cron)}"
    for name, runs in by_cron.items():
        ticks = [_tick(run) for run in runs]
        for run, tick in zip(runs, ticks, strict=True):
            assert tick.timestamp() * 1_000 <= run.created_ms, f"cron {name!r} was early: {run}"
        steps = Counter(later - earlier for earlier, later in pairwise(ticks))
        if name == SLOW_CRON:
            assert min(steps) >= SECOND, f"cron {name!r}: ticks doubled: {steps}"
            for earlier, later in pairwise(runs):
                assert earlier.finished_ms <= later.created_ms, f"cron {name!r} overlaps: {later}"
        else:
            assert set(steps) == {SECOND}, f"cron {name!r}: ticks lost or doubled: {steps}"
            last = ticks[-1].timestamp() * 1_000
            assert last == last_ticks[name], f"cron {name!r}: {last_ticks[name]} has no run"


def _tick(run: Row) -> datetime:
    return datetime.fromisoformat(run.metadata["hatchet__cron_scheduled_at"])


def check_scheduled(load: FlowLoad, evidence: Evidence) -> None:
    """SC-5: once each, not before its time, and what was deleted never."""
    for number in load.deleted:
        assert number not in evidence.by_number, f"deleted, but fired: {load.jobs[number]}"
    for number, due_ms in load.due.items():
        runs = evidence.by_number.get(number, [])
        least = 0 if number in load.doubt else 1
        assert least <= len(runs) <= 1, f"{load.jobs[number]} fired {len(runs)} times: {runs}"
        for run in runs:
            assert run.created_ms >= int(due_ms), f"fired before {due_ms:.0f}: {run}"


def check_pauses(held: Iterable[Held], evidence: Evidence) -> None:
    """REG-24: what was held back was given to no worker meanwhile."""
    for pause in held:
        for run in evidence.runs:
            if not _concerns(pause, run):
                continue
            for task in run.called:
                for attempt, at_ms in task.assigned.items():
                    assert not pause.begin_ms < at_ms < pause.end_ms - 1, (
                        f"attempt {attempt} of {run} was placed at {at_ms:.0f} during {pause}"
                    )


def _concerns(pause: Held, run: Row) -> bool:
    if pause.kind == "tenant":
        return True
    if pause.kind == "workflow":
        return run.workflow == pause.target
    if pause.kind == "units":
        return run.workflow in METERED
    # Who has a place when its key is paused keeps it.
    new = run.created_ms > pause.begin_ms
    return run.workflow == "limited" and run.job.key == pause.target and new
