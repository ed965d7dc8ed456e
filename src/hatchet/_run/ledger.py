"""Who waits for which answer of the engine. Only the I/O thread touches it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from hatchet._core.session import NOT_CREATED
from hatchet._run.failures import call_error
from hatchet._run.outbox import TaskCall, Trigger, Unwatch, Watch
from hatchet._run.reply import Gathering, Wakeups

if TYPE_CHECKING:
    from hatchet._core.session import Received, RunOutcome, TaskOutcome, TriggerAnswer

Waiting = Trigger | TaskCall | Watch

T = TypeVar("T", Trigger, TaskCall)


class Ledger:
    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._triggers: dict[int, Trigger] = {}  # written, unanswered
        self._calls: dict[int, TaskCall] = {}
        self._pieces: dict[bytes, list[TaskOutcome]] = {}  # of results that are not whole yet
        self._watches: dict[bytes, list[tuple[Gathering[RunOutcome], int]]] = {}

    @property
    def awaits_answers(self) -> bool:
        return bool(self._triggers or self._calls)

    @property
    def is_empty(self) -> bool:
        return not (self._triggers or self._calls or self._watches)

    @property
    def watched(self) -> list[bytes]:
        """Runs whose results somebody waits for."""
        return list(self._watches)

    # ------------------------------------------------------------------ what was written

    def wrote(self, item: Trigger | TaskCall) -> None:
        if isinstance(item, Trigger):
            self._triggers[item.request_id] = item
        else:
            self._calls[item.request_id] = item

    def add_watch(self, watch: Watch) -> list[bytes]:
        """Ids to subscribe to."""
        for index, run_id in enumerate(watch.run_ids):
            waiting = self._watches.setdefault(run_id, [])
            if (watch.gathering, index) not in waiting:
                waiting.append((watch.gathering, index))
        return watch.run_ids

    def drop_watch(self, item: Unwatch) -> list[bytes]:
        """Ids that nobody waits for any more."""
        ended = []
        for run_id in item.run_ids:
            waiting = self._watches.get(run_id)
            if waiting is None:
                continue
            waiting[:] = [entry for entry in waiting if entry[0] is not item.gathering]
            if not waiting:
                del self._watches[run_id]
                ended.append(run_id)
        return ended

    # ------------------------------------------------------------------ answers

    def answer(self, received: "Received") -> None:
        """Settle what a frame answers: triggers first, because their results may follow."""
        wakeups = self._wakeups
        for answer in received.trigger_answers:
            self._answer_trigger(answer)
        watches = self._watches
        for run_id, piece in received.results:
            outcome = self._whole(run_id, piece)
            if outcome is None:
                continue
            for gathering, index in watches.pop(run_id, ()):
                gathering.put(index, outcome, wakeups)
        for task_answer in received.task_answers:
            call = self._calls.pop(task_answer.request_id, None)
            if call is None:
                continue
            if task_answer.error is not None:
                self.fail(call, call_error(task_answer.error.code, task_answer.error.message))
            else:
                call.reply.settle(wakeups, task_answer.timeout_at_ms)

    def _answer_trigger(self, answer: "TriggerAnswer") -> None:
        trigger = self._triggers.pop(answer.request_id, None)
        if trigger is None:
            return
        if answer.error is not None:
            self.fail(trigger, call_error(answer.error.code, answer.error.message))
            return
        trigger.holders = answer.holders
        if trigger.gathering is not None:
            for index, run_id in enumerate(answer.run_ids):
                if index in answer.holders:
                    trigger.gathering.put(index, NOT_CREATED, self._wakeups)
                else:
                    self._watches.setdefault(run_id, []).append((trigger.gathering, index))
        trigger.ids.settle(self._wakeups, answer.run_ids)

    def _whole(self, run_id: bytes, piece: "RunOutcome") -> "RunOutcome | None":
        """A result too large for one frame comes in pieces; None until the last one is there."""
        if piece.more:
            self._pieces.setdefault(run_id, []).extend(piece.tasks)
            return None
        before = self._pieces.pop(run_id, None)
        return piece if before is None else piece._replace(tasks=(*before, *piece.tasks))

    # ------------------------------------------------------------------ failures

    def fail(self, item: Waiting, error: Exception) -> None:
        if isinstance(item, TaskCall):
            item.reply.settle(self._wakeups, error=error)
            return
        if item.gathering is not None:
            item.gathering.reply.settle(self._wakeups, error=error)
        if isinstance(item, Trigger):
            item.ids.settle(self._wakeups, error=error)

    def broken(self, of_call: Exception) -> list[Trigger]:
        """The stream broke before the answers. Triggers may be sent again: those are returned, in
        order."""
        triggers = list(self._triggers.values())
        for call in self._calls.values():
            self.fail(call, of_call)
        self._triggers.clear()
        self._calls.clear()
        self._pieces.clear()  # results are sent anew on the next stream
        return triggers

    def fail_watches(self, error: Exception) -> None:
        for waiting in self._watches.values():
            for gathering, _ in waiting:
                gathering.reply.settle(self._wakeups, error=error)
        self._watches.clear()

    def expire(self, now: float, of_trigger: Exception, of_call: Exception) -> None:
        """Fail what was written and is past its deadline."""
        for trigger in _late(self._triggers.values(), now):
            del self._triggers[trigger.request_id]
            self.fail(trigger, of_trigger)
        for call in _late(self._calls.values(), now):
            del self._calls[call.request_id]
            self.fail(call, of_call)


def _late(items: Iterable[T], now: float) -> list[T]:
    """Those past their deadline. Items are in the order of their deadlines."""
    late = []
    for item in items:
        if item.deadline > now:
            break
        late.append(item)
    return late
