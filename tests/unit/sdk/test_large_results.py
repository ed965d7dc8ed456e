"""Results that come in pieces, because one frame can't hold them."""

from __future__ import annotations

from hatchet._core.session import COMPLETED, Received, RunOutcome, TaskOutcome
from hatchet._run.ledger import Ledger
from hatchet._run.outbox import Watch
from hatchet._run.reply import Gathering, Wakeups

RUN = b"r" * 16


def piece(name: str, *, more: bool) -> Received:
    task = TaskOutcome(b"t" * 16, name, COMPLETED, "{}", "")
    return Received(results=[(RUN, RunOutcome(COMPLETED, (task,), more))])


def watching() -> tuple[Ledger, Gathering[RunOutcome]]:
    ledger = Ledger(Wakeups())
    watch = Watch([RUN], 0.0)
    ledger.add_watch(watch)
    return ledger, watch.gathering


def test_pieces_are_one_result() -> None:
    ledger, gathering = watching()
    ledger.answer(piece("a", more=True))
    assert ledger.watched == [RUN]
    ledger.answer(piece("b", more=False))
    assert ledger.watched == []
    (outcome,) = gathering.reply.wait(0)
    assert [task.task_name for task in outcome.tasks] == ["a", "b"]


def test_pieces_of_a_stream_that_broke_do_not_count() -> None:
    ledger, gathering = watching()
    ledger.answer(piece("a", more=True))
    assert ledger.broken(RuntimeError()) == []
    ledger.answer(piece("a", more=True))
    ledger.answer(piece("b", more=False))
    (outcome,) = gathering.reply.wait(0)
    assert [task.task_name for task in outcome.tasks] == ["a", "b"]
