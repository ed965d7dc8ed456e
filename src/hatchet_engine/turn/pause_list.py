"""The pauses in memory."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.why import moment
from hatchet_engine.turn.commands import PausedThing, PauseKind
from hatchet_engine.turn.lines import Line, tenant_pause_line, workflow_pause_line
from hatchet_engine.turn.queues import Queued

Key = tuple[UUID, PauseKind, str]


def paused_worker(target: str) -> UUID | None:
    """The id of the worker that a pause is of; None if it can't be one."""
    try:
        return UUID(target)
    except ValueError:
        return None


def line_of(thing: PausedThing) -> str:
    """The line of those whom the pause of a tenant or a workflow holds."""
    if thing.kind is PauseKind.TENANT:
        return tenant_pause_line(thing.tenant_id)
    return workflow_pause_line(UUID(thing.target))


def pause_words(thing: PausedThing) -> str:
    """By whom, since and until when, and why: what follows on "is"."""
    by = f" by {thing.by}" if thing.by else ""
    until = "until somebody resumes it"
    if thing.until_ms is not None:
        until = f"until {moment(thing.until_ms)}"
    reason = f": {thing.reason}" if thing.reason else ""
    return f"paused{by} since {moment(thing.since_ms)}, {until}{reason}"


class Pauses:
    """All pauses that are on, and the lines of those that have ended and are being let go."""

    def __init__(self) -> None:
        self._by_key: dict[Key, PausedThing] = {}
        self._tenants: dict[UUID, PausedThing] = {}
        self._workflows: dict[UUID, PausedThing] = {}
        self.released: dict[Line, None] = {}
        self.next_ms: int | None = None  # when the first of them ends by itself

    def __bool__(self) -> bool:
        return bool(self._tenants or self._workflows)

    def find(self, tenant_id: UUID, kind: PauseKind, target: str) -> PausedThing | None:
        return self._by_key.get((tenant_id, kind, target))

    def of_kind(self, kind: PauseKind) -> list[PausedThing]:
        return [thing for thing in self._by_key.values() if thing.kind is kind]

    def dropping_scheduled(self) -> list[UUID]:
        """Workflows whose scheduled runs wait for the end of a pause (REG-27)."""
        return [id_ for id_, thing in self._workflows.items() if thing.drop_scheduled]

    def of_workflow(self, workflow_id: UUID) -> PausedThing | None:
        return self._workflows.get(workflow_id)

    def of(self, item: Queued) -> PausedThing | None:
        """The pause that holds a task."""
        return self.of_task(item.tenant_id, item.step.version.workflow_id)

    def of_task(self, tenant_id: UUID, workflow_id: UUID) -> PausedThing | None:
        return self._tenants.get(tenant_id) or self._workflows.get(workflow_id)

    def holds(self, line_id: str) -> bool:
        """Whether a pause that is on keeps this line."""
        things = (*self._tenants.values(), *self._workflows.values())
        return any(line_of(thing) == line_id for thing in things)

    def add(self, thing: PausedThing) -> None:
        self._by_key[thing.tenant_id, thing.kind, thing.target] = thing
        if thing.kind is PauseKind.TENANT:
            self._tenants[thing.tenant_id] = thing
        elif thing.kind is PauseKind.WORKFLOW:
            self._workflows[UUID(thing.target)] = thing
        self._recount()

    def remove(self, thing: PausedThing) -> None:
        del self._by_key[thing.tenant_id, thing.kind, thing.target]
        if thing.kind is PauseKind.TENANT:
            del self._tenants[thing.tenant_id]
        elif thing.kind is PauseKind.WORKFLOW:
            del self._workflows[UUID(thing.target)]
        self._recount()

    def due(self, now_ms: int) -> list[PausedThing]:
        """Those whose time is over."""
        if self.next_ms is None or self.next_ms > now_ms:
            return []
        things = self._by_key.values()
        return [one for one in things if one.until_ms is not None and one.until_ms <= now_ms]

    def _recount(self) -> None:
        untils = [one.until_ms for one in self._by_key.values() if one.until_ms is not None]
        self.next_ms = min(untils, default=None)
