"""What callers, workers and operators of a simulated world say to its engine, drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from uuid import UUID

from hatchet_engine.domain.definition import WorkflowDefinition
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import Status
from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeWorker,
    CloseStream,
    Command,
    OpenStream,
    PutWorkflow,
    RefreshTimeout,
    RegisterWorker,
    ReleaseSlot,
    ReplayTasks,
    Report,
    ReportKind,
    ReportTasks,
    RunFilter,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.deliveries import Assigned
from hatchet_engine.turn.engine import Engine
from tests.simulation.draw import draw_task
from tests.simulation.workers import ParkingClock, SimWorker, Stream
from tests.support.engine import START_MS, TENANT, Results

NAMES = ("a", "b", "c", "d")
ZONES = ("eu", "us")

Draw = Callable[[], Command[object] | None]  # a command, or nothing to say


class WorldCommands:
    """An engine, what has been said to it, and what may be said next."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = ParkingClock(START_MS)
        self.results = Results()
        self.engine = Engine(
            clock=self.clock,
            waiters=Subscriptions(),
            watchers=RunWatchers(),
            random_bytes=random.Random(seed + 1).randbytes,
        )
        self.workers: list[SimWorker] = []
        self.runs: list[UUID] = []
        self.deliveries: list[Assigned] = []  # ever, for late and doubled reports
        self.replayed: set[UUID] = set()  # in the present step

    def _definition(self, name: str) -> PutWorkflow:
        draw = self.random
        task = draw_task(draw, name, name)
        task.labels = self._wish()
        sticky = draw.choice((None, None, "SOFT", "HARD"))
        return PutWorkflow(
            TENANT, check(WorkflowDefinition(name=name, tasks=[task], sticky=sticky))
        )

    def _wish(self) -> dict[str, DesiredLabel]:
        draw = self.random
        if draw.random() < 0.7:
            return {}
        required, weight = draw.random() < 0.5, draw.choice((-5, 10, 100))
        return {"zone": DesiredLabel(draw.choice(ZONES), required, weight=weight)}

    def _some_worker(self) -> UUID | None:
        """A worker to be wanted, which may be dead or never have been."""
        if self.random.random() < 0.7:
            return None
        return self.random.choice([UUID(int=1), *[worker.id for worker in self.workers]])

    def _labels(self) -> dict[str, str | int]:
        return {"zone": self.random.choice(ZONES)} if self.random.random() < 0.5 else {}

    def _trigger(self) -> TriggerRuns:
        names = [key[1] for key in self.engine.hot.definitions.latest]
        count = self.random.choice((1, 1, 2, 5, 15))
        items = [self._item(self.random.choice(names)) for _ in range(count)]
        return TriggerRuns(TENANT, items, self.results)

    def _item(self, workflow: str) -> TriggerItem:
        return TriggerItem(
            workflow,
            metadata=self.random.choice(("", '{"team":"x"}')),
            priority=self.random.choice((None, 1, 2, 3)),
            desired_worker_id=self._some_worker(),
            desired_labels=self._wish() or None,
        )

    def _join(
        self, slots: dict[str, int] | None = None, names: Sequence[str] = ()
    ) -> RegisterWorker:
        draw = self.random
        names = names or draw.sample(NAMES, draw.randint(1, len(NAMES)))
        chosen = slots or draw.choice(({"default": 1}, {"default": 3}, {"default": 2, "gpu": 2}))
        return RegisterWorker(
            TENANT,
            "w",
            [action for name in names for action in self._actions_of(name)],
            chosen,
            labels=self._labels(),
            protocol=draw.choice(("grpc", "session")),
        )

    def _actions_of(self, name: str) -> list[str]:
        return [f"{name}:{name}"]

    def _open(self, worker: SimWorker) -> OpenStream:
        if worker.stream is not None:
            worker.stream.broken = True
        worker.stream = Stream(worker)
        held = list(worker.tasks) if worker.protocol == "session" else None
        return OpenStream(TENANT, worker.id, worker.stream, held)

    def _report(self) -> ReportTasks | None:
        """True reports of live workers, mixed with late and doubled ones."""
        draw = self.random
        reports = []
        for worker in self.workers:
            for key in list(worker.tasks):
                if worker.alive and draw.random() < 0.5:
                    report = self._random_report(*key)
                    if report.kind not in (ReportKind.STARTED, ReportKind.ACKNOWLEDGED):
                        del worker.tasks[key]
                    reports.append(report)
        for task in draw.sample(self.deliveries, min(len(self.deliveries), draw.randint(0, 2))):
            if draw.random() < 0.3:
                reports.append(self._random_report(task.task_id, task.attempt))
        if reports and draw.random() < 0.2:
            reports.append(draw.choice(reports))
        if draw.random() < 0.3:
            draw.shuffle(reports)
        return ReportTasks(TENANT, reports) if reports else None

    def _random_report(self, task_id: UUID, attempt: int) -> Report:
        draw = self.random
        kind = draw.choice(
            (
                ReportKind.STARTED,
                ReportKind.ACKNOWLEDGED,
                ReportKind.COMPLETED,
                ReportKind.COMPLETED,
                ReportKind.FAILED,
                ReportKind.FAILED,
                ReportKind.CANCELLED,
            )
        )
        payload = ""
        if kind is ReportKind.COMPLETED:
            payload = draw.choice(("", f'{{"attempt":{attempt}}}', "not json"))
        elif kind is ReportKind.FAILED:
            payload = f'"attempt":{attempt}'
        return Report(
            task_id,
            attempt,
            kind,
            payload,
            should_not_retry=draw.random() < 0.1,
            retry_after_ms=draw.choice((None, None, 0, 3_000)),
            started_ms=draw.choice((None, self.clock.now_ms())),
        )

    def _some_runs(self) -> list[UUID]:
        return self.random.sample(self.runs, min(len(self.runs), self.random.randint(1, 4)))

    def _cancel(self) -> CancelTasks | None:
        if not self.runs:
            return None
        if self.random.random() < 0.2:
            statuses = self.random.choice(((), (Status.QUEUED,), (Status.RUNNING,)))
            chosen = RunFilter(START_MS, statuses=statuses, metadata=(("team", "x"),))
            return CancelTasks(TENANT, filter=chosen)
        return CancelTasks(TENANT, self._some_runs())

    def _replay(self) -> ReplayTasks | None:
        if not self.runs:
            return None
        if self.random.random() < 0.2:
            self.replayed.update(self.runs)
            return ReplayTasks(TENANT, filter=RunFilter(START_MS, statuses=(Status.FAILED,)))
        ids = self._some_runs()
        self.replayed.update(ids)
        return ReplayTasks(TENANT, ids)

    def _about_running(self) -> Command[object] | None:
        if not self.deliveries:
            return None
        task_id = self.random.choice(self.deliveries).task_id
        if self.random.random() < 0.5:
            return ReleaseSlot(TENANT, task_id)
        return RefreshTimeout(TENANT, task_id, self.random.choice((1, 5_000, 60_000)))

    def _pause(self) -> ChangeWorker | None:
        worker = self._any_worker()
        if worker is None:
            return None
        if self.random.random() < 0.4:
            return ChangeWorker(TENANT, worker.id, labels={"zone": self.random.choice(ZONES)})
        return ChangeWorker(TENANT, worker.id, draining=self.random.random() < 0.5)

    def _any_worker(self) -> SimWorker | None:
        joined = [worker for worker in self.workers if worker.alive]
        return self.random.choice(joined) if joined else None

    def _streams(self) -> Command[object] | None:
        """A worker's connection goes, or comes back, or only the engine notices."""
        worker = self._any_worker()
        if worker is None:
            return None
        stream = worker.stream
        chance = self.random.random()
        if stream is None or chance < 0.4:
            return self._open(worker)
        if chance < 0.6:
            stream.broken = True  # nobody has noticed yet
            return None
        worker.stream = None
        stream.broken = True
        return CloseStream(TENANT, worker.id, stream)

    def random_command(self) -> Command[object] | None:
        make: Draw = self.random.choice(self.commands())
        return make()

    def commands(self) -> Sequence[Draw]:
        """What several things at once are made of."""
        return (
            self._trigger,
            self._trigger,
            self._report,
            self._report,
            self._cancel,
            self._replay,
            self._about_running,
            self._streams,
            self._pause,
        )
