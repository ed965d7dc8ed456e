"""Random worlds with concurrency rules, rate limits and pauses: whatever happens, no limit is
broken, nobody overtakes, and nobody waits for what is there."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson
import pytest

from hatchet_engine.domain.registration import check
from hatchet_engine.turn import admit, held, lines, load, queues, rates, read_lines
from hatchet_engine.turn.commands import (
    DeleteRateLimit,
    Pause,
    PauseKind,
    PauseRateLimit,
    PutRateLimit,
    PutWorkflow,
    Resume,
    TriggerItem,
    TriggerRuns,
)
from tests.simulation.flow_checks import FlowChecks
from tests.simulation.flow_draw import (
    NAMES,
    STATIC_KEYS,
    STRATEGIES,
    WINDOWS_MS,
    Input,
    actions_of,
    draw_input,
    draw_workflow,
)
from tests.simulation.world import ACTIONS, Actions, World, one
from tests.simulation.world_commands import Draw
from tests.support.engine import TENANT
from tests.support.invariants import Tables

RATE_KEYS = (*STATIC_KEYS, "d-x", "d-y", "d-z")
ENOUGH = 10_000


class FlowWorld(World):
    lowers_limits = True

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.inputs: dict[UUID, Input] = {}
        self.strategies = tuple(self.random.sample(STRATEGIES, self.random.choice((1, 1, 2, 5))))
        self.named_limits: dict[str, set[int]] = {}  # put in this step, by key
        self.forgotten: set[str] = set()  # rate limits that this step has deleted
        self.paused: set[tuple[PauseKind, str]] = set()  # at any time
        self.checks = FlowChecks(self)
        self._edges = pytest.MonkeyPatch()

    # ------------------------------------------------------------ frame

    async def start(self) -> None:
        self._narrow()
        await super().start()
        for key in STATIC_KEYS:
            if self.random.random() < 0.8:
                await self.submit(self._put(key))

    def _first_names(self) -> Sequence[str]:
        return self.random.sample(NAMES, self.random.randint(1, len(NAMES)))

    async def stop(self) -> None:
        self._edges.undo()
        await super().stop()

    def _narrow(self) -> None:
        """Small windows and steps, so that their edges are met."""
        draw, patch = self.random, self._edges.setattr
        if draw.random() < 0.3:
            return
        patch(queues, "WINDOW_MAX", draw.choice((2, 4, 9)))
        patch(load, "WINDOW_READ", draw.choice((1, 2, 5)))
        patch(lines, "LINE_WINDOW_MAX", draw.choice((2, 3, 8)))
        patch(lines, "LINE_ITEMS_MAX", draw.choice((1, 5, 50)))
        patch(read_lines, "LINE_READ_MIN", draw.choice((1, 2)))
        patch(read_lines, "LINE_READ_MAX", draw.choice((2, 3)))
        patch(load, "LINE_READ_MAX", draw.choice((2, 3)))
        patch(rates, "CALLED_MAX", draw.choice((1, 2, 5)))
        patch(rates, "DUE_MAX", draw.choice((1, 2)))
        patch(held, "RELEASED_MAX", draw.choice((1, 2, 5)))
        patch(admit, "EVICT_MAX", draw.choice((1, 3)))
        patch(admit, "JUDGED_MAX", draw.choice((2, 4)))  # one of them may be left waiting

    async def check(self) -> None:
        before = self.before
        await super().check()
        await self.checks.check(before, self.before)
        self.named_limits.clear()
        self.forgotten.clear()

    def _check_order(self, tables: Tables) -> None:
        """Order is a matter of queues, lines and rounds here."""

    async def lift_limits(self) -> None:
        for thing in sorted(self.paused):
            await self.submit(Resume(TENANT, *thing))
        for key in RATE_KEYS:
            self.named_limits.setdefault(key, set()).add(ENOUGH)
            await self.submit(PutRateLimit(TENANT, key, ENOUGH, "SECOND"))
        await self.idle()
        await self.check()

    # ------------------------------------------------------------ commands

    def _definition(self, name: str) -> PutWorkflow:
        return PutWorkflow(TENANT, check(draw_workflow(self.random, name, self.strategies)))

    def _actions_of(self, name: str) -> list[str]:
        return actions_of(name)

    def _item(self, workflow: str) -> TriggerItem:
        return TriggerItem(
            workflow,
            orjson.dumps(draw_input(self.random)).decode(),
            metadata=self.random.choice(("", '{"team":"x"}')),
            priority=self.random.choice((None, 1, 2, 3)),
        )

    def noted(self, command: TriggerRuns, runs: list[UUID]) -> None:
        for item, run in zip(command.items, runs, strict=True):
            self.inputs[run] = orjson.loads(item.input)

    def _put(self, key: str | None = None) -> PutRateLimit:
        draw = self.random
        key = key or draw.choice(RATE_KEYS)
        limit = draw.choice((0, 1, 2, 3, 6))
        self.named_limits.setdefault(key, set()).add(limit)
        return PutRateLimit(TENANT, key, limit, draw.choice(list(WINDOWS_MS)))

    def _delete(self) -> DeleteRateLimit:
        key = self.random.choice(RATE_KEYS)
        self.forgotten.add(key)
        return DeleteRateLimit(TENANT, key)

    def _pause_rate(self) -> PauseRateLimit:
        until_ms = self.clock.now_ms() + self.random.choice((1, 1_000, 30_000))
        key = self.random.choice(RATE_KEYS)
        self.paused.add((PauseKind.RATE_LIMIT, key))
        return PauseRateLimit(TENANT, key, until_ms)

    def _pause_thing(self) -> Pause | None:
        draw = self.random
        kind = draw.choice(list(PauseKind))
        target = ""
        if kind is PauseKind.WORKFLOW:
            latest = list(self.engine.hot.definitions.latest.values())
            target = str(draw.choice(latest).workflow_id)
        elif kind is PauseKind.CONCURRENCY_KEY:
            known = sorted(id_ for id_ in self.engine.hot.lines.by_id if lines.is_place_line(id_))
            if not known:
                return None
            target = draw.choice(known)
        elif kind is PauseKind.RATE_LIMIT:
            target = draw.choice(RATE_KEYS)
        elif kind is PauseKind.WORKER:
            worker = self._any_worker()
            if worker is None:
                return None
            target = str(worker.id)
        self.paused.add((kind, target))
        until_ms = draw.choice((None, self.clock.now_ms() + 1, self.clock.now_ms() + 5_000))
        ttl_ms = draw.choice((None, None, 5_000)) if kind is PauseKind.WORKFLOW else None
        return Pause(TENANT, kind, target, until_ms, queue_ttl_ms=ttl_ms)

    def _resume(self) -> Resume | None:
        if not self.paused:
            return None
        return Resume(TENANT, *self.random.choice(sorted(self.paused)))

    def commands(self) -> Sequence[Draw]:
        return (
            *super().commands(),
            self._trigger,
            self._report,
            self._put,
            self._delete,
            self._pause_rate,
            self._pause_thing,
            self._resume,
        )

    def actions(self) -> Actions:
        return FLOW_ACTIONS


FLOW_ACTIONS: Actions = ACTIONS | {
    "trigger": (22, one(FlowWorld._trigger)),
    "report": (30, one(FlowWorld._report)),
    "put": (5, one(FlowWorld._put)),
    "delete": (1, one(FlowWorld._delete)),
    "pause rate": (2, one(FlowWorld._pause_rate)),
    "pause thing": (4, one(FlowWorld._pause_thing)),
    "resume": (6, one(FlowWorld._resume)),
}
