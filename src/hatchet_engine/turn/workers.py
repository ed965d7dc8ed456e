"""Workers and what runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from hatchet_engine.domain.demand import Demand
from hatchet_engine.domain.labels import LabelValue
from hatchet_engine.turn.commands import WorkerSession

if TYPE_CHECKING:
    from hatchet_engine.turn.batches import Batch
    from hatchet_engine.turn.definitions import Step
    from hatchet_engine.turn.queues import Queue


class Running:
    """A task on a worker. (task id, attempt) is the fence for its reports."""

    __slots__ = (
        "app_retries",
        "assigned_ms",
        "attempt",
        "batch",
        "deadline_ms",
        "demand",
        "internal_retries",
        "live",
        "released",
        "run_id",
        "started_ms",
        "step",
        "task_id",
        "tenant_id",
        "worker",
    )

    def __init__(
        self,
        *,
        task_id: UUID,
        tenant_id: UUID,
        run_id: UUID,
        step: Step,
        worker: Worker,
        attempt: int,
        app_retries: int,
        internal_retries: int,
        assigned_ms: int,
        deadline_ms: int,
        started_ms: int | None = None,
        released: bool = False,
        demand: Demand | None = None,
        batch: Batch | None = None,
    ) -> None:
        self.task_id = task_id
        self.tenant_id = tenant_id
        self.run_id = run_id
        self.step = step
        self.worker = worker
        self.attempt = attempt
        self.app_retries = app_retries
        self.internal_retries = internal_retries
        self.assigned_ms = assigned_ms
        self.deadline_ms = deadline_ms
        self.started_ms = started_ms
        self.released = released
        self.demand = demand
        self.batch = batch  # shares its slot
        self.live = True  # False as soon as the attempt is over

    @property
    def together(self) -> list[Running]:
        """All tasks of its batch, itself among them; alone without one."""
        return [self] if self.batch is None else list(self.batch.members.values())


class Worker:
    __slots__ = (
        "actions",
        "draining",
        "free",
        "heartbeat_ms",
        "id",
        "labels",
        "lost_check_ms",
        "maybe_lost",
        "name",
        "paused",
        "protocol",
        "queues",
        "running",
        "session",
        "slots",
        "streamed",
        "tenant_id",
    )

    def __init__(
        self,
        *,
        id: UUID,
        tenant_id: UUID,
        name: str,
        actions: list[str],
        slots: Mapping[str, int],
        labels: Mapping[str, LabelValue],
        protocol: str,
        heartbeat_ms: int,
        draining: bool = False,
        streamed: bool = False,
    ) -> None:
        self.id = id
        self.tenant_id = tenant_id
        self.name = name
        self.actions = {action.lower(): action for action in actions}
        self.slots = dict(slots)
        self.free = dict(slots)
        self.labels = dict(labels)
        self.protocol = protocol
        self.draining = draining  # takes nothing new, as it has said itself
        self.paused = False  # by somebody else
        self.streamed = streamed  # has ever had a stream
        self.session: WorkerSession | None = None
        self.heartbeat_ms = heartbeat_ms
        # When to give up on assignments that were never acknowledged; None: nothing to check.
        self.lost_check_ms: int | None = None
        # Those assignments: task id and attempt. What is assigned later goes over a newer stream.
        self.maybe_lost: dict[UUID, int] = {}
        self.running: dict[UUID, Running] = {}
        self.queues: list[Queue] = []

    @property
    def assignable(self) -> bool:
        return self.session is not None and not self.paused and not self.draining

    @property
    def state(self) -> str:
        """In one word, for people."""
        if self.session is None:
            return "away"
        if self.paused:
            return "paused"
        return "draining" if self.draining else "ready"

    def fits(self, units: Mapping[str, int]) -> bool:
        """Whether so many slots are free."""
        return _holds(self.free, units)

    def could_fit(self, units: Mapping[str, int]) -> bool:
        """Whether it has so many slots in all."""
        return _holds(self.slots, units)

    def room(self, units: Mapping[str, int]) -> int:
        """How many slots of these types are free."""
        free = self.free
        return sum([free.get(slot_type, 0) for slot_type in units])

    def take(self, units: Mapping[str, int]) -> None:
        for slot_type, count in units.items():
            self.free[slot_type] = self.free.get(slot_type, 0) - count

    def give(self, units: Mapping[str, int]) -> None:
        for slot_type, count in units.items():
            self.free[slot_type] += count


def _holds(slots: Mapping[str, int], units: Mapping[str, int]) -> bool:
    for slot_type, count in units.items():  # a loop: this is asked for every task  # noqa: SIM110
        if slots.get(slot_type, 0) < count:
            return False
    return True
