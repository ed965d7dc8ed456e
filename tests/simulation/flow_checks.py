"""What must hold after every step of a world with limits, worked out from the tables and from what
was triggered.

The numbers in messages are those of the list of invariants a task engine must keep: 4 concurrency
limits, 5 rate limits, 6 order, 8 nobody waits for what is there.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hatchet_engine.domain.states import TaskKind
from hatchet_engine.turn.commands import PauseKind
from hatchet_engine.turn.definitions import Version
from hatchet_engine.turn.lines import is_place_line, place_line
from hatchet_engine.turn.rates import LEFT_OVER_MS
from tests.simulation.flow_draw import WINDOWS_MS, key_of, most_of, units_of
from tests.simulation.world_checks import asked_of
from tests.support.engine import TENANT
from tests.support.invariants import Row, Tables

if TYPE_CHECKING:
    from tests.simulation.flow_world import FlowWorld

LIMITS_BROUGHT = {2, 3, 4}  # by tasks, for dynamic keys
Holding = set[tuple[str, UUID]]  # (line, holder)


class FlowChecks:
    def __init__(self, world: FlowWorld) -> None:
        self.world = world
        self.mosts: dict[str, set[int]] = {}  # every limit that was ever named for a key
        self.taken: dict[str, list[tuple[int, int]]] = {}  # (time, units) by rate key
        self.highest: dict[str, int] = {}  # limit of the present window
        self._seen: set[tuple[UUID, int]] = set()
        self._pauses: list[Row] = []
        self._limits: dict[str, int] = {}  # of groups, at the last check
        self.versions: dict[UUID, Version] = {}  # all that there ever were

    async def check(self, before: Tables, now: Tables) -> None:
        self.versions.update(self.world.engine.hot.definitions.versions)
        paused = await self.world.reader.fetch("select * from pause")
        on = [row for row in paused if row in self._pauses]
        ever = [*self._pauses, *paused]
        self._pauses = paused
        new = self._new_attempts()
        self._check_holders(before, now)
        self._check_line_order(before, now, on)
        self._check_queue_order(before, now, ever)
        self._check_units(before, now, new)
        self._check_conserved(now, paused)
        self._check_paused(now, new, on)

    def _new_attempts(self) -> list[tuple[UUID, int]]:
        new = [key for key in self.world.assigned_ms if key not in self._seen]
        self._seen.update(new)
        return new

    # ------------------------------------------------------------ what was asked for

    def _rules(self, tables: Tables, id_: UUID) -> list[tuple[str, int]]:
        """The (line, limit) of each of the rules of a task or of a whole run, in order."""
        row = tables.task[id_]
        version = self.versions[row["version_id"]]
        whole = row["status"] == TaskKind.DAG
        definition = version.definition
        rules = definition.concurrency if whole else definition.tasks[row["step"]].concurrency
        attached = version.rules if whole else version.steps[row["step"]].rules
        input = self.world.inputs[row["run_id"]]
        return [
            (place_line(one.limit_id, key_of(rule, input)), most_of(rule, input))
            for rule, one in zip(rules, attached, strict=True)
        ]

    def _units(self, tables: Tables, task_id: UUID) -> dict[str, int]:
        row = tables.task[task_id]
        version = self.versions[row["version_id"]]
        return units_of(version.definition.tasks[row["step"]], self.world.inputs[row["run_id"]])

    # ------------------------------------------------------------ concurrency

    def _check_holders(self, before: Tables, now: Tables) -> None:
        expected: Holding = set()
        for id_, row in now.task.items():
            rules = self._rules(now, id_)
            for line, most in rules:
                self.mosts.setdefault(line, set()).add(most)
            held = [line for line, _ in rules]
            if row["status"] == TaskKind.DAG:
                if id_ in now.ended:
                    continue
            elif id_ not in now.queued and id_ not in now.assigned and id_ not in now.parked:
                continue
            line = now.parked[id_]["line"] if id_ in now.parked else ""
            if is_place_line(line):
                held = held[: held.index(line)]
            expected.update((line, id_) for line in held)
        found = {(row["line"], row["holder_id"]) for row in now.held}
        assert found == expected, (
            f"4: hold a place and should not: {found - expected}; the other way: {expected - found}"
        )
        earlier = {(row["line"], row["holder_id"]) for row in before.held}
        limits: dict[str, int] = {}
        for line, count in Counter(line for line, _ in found).items():
            group = self.world.engine.hot.groups.find(line)
            assert group is not None
            assert group.limit in self.mosts[line], f"4: nobody named {group.limit} for {line}"
            limits[line] = group.limit
            more = {holder for of, holder in found - earlier if of == line}
            if more:
                # The last limit that was named is left; within a step, others may have held first,
                # be it that of one who was cancelled at once.
                new = (now.parked.keys() - before.parked.keys()) | (
                    now.ended.keys() - before.ended.keys()
                )
                named = [dict(self._rules(now, id_)).get(line, 0) for id_ in more | new]
                most = max(self._limits.get(line, 0), *named)
                assert count <= max(group.limit, most), f"4: {count} hold {line}; new: {more}"
        self._limits = limits

    def _check_line_order(self, before: Tables, now: Tables, on: list[Row]) -> None:
        """Who got a place goes before all who wait for it since an earlier step (CON-4)."""
        earlier = {(row["line"], row["holder_id"]) for row in before.held}
        paused = {row["target"] for row in on}
        waited: dict[str, list[tuple[int, UUID]]] = {}
        for id_, row in now.parked.items():
            if before.parked.get(id_) == row:
                waited.setdefault(row["line"], []).append((row["rank"], id_))
        for row in now.held:
            line, holder = row["line"], row["holder_id"]
            if (line, holder) in earlier:
                continue
            assert line not in paused, f"REG-24: {holder} got a place of {line}, which is paused"
            first = min(waited.get(line, []), default=None)
            mine = (row["rank"], holder)
            assert first is None or mine < first, f"6: {mine} overtook {first} in {line}"

    # ------------------------------------------------------------ queues

    def _check_queue_order(self, before: Tables, now: Tables, ever: list[Row]) -> None:
        """Nothing that waited in its queue through the whole step was overtaken by its like. What a
        pause held in between comes back in bounded steps, and may be: that is not looked at.
        ``ever``: the pauses that were on at the beginning or at the end."""
        waited = [
            row
            for id_, row in now.queued.items()
            if before.queued.get(id_) == row
            and not self._units(now, id_)
            and not self._paused(now, id_, ever)
        ]
        for id_, row in now.assigned.items():
            earlier = before.queued.get(id_)
            if earlier is None or earlier["attempt"] != row["attempt"] or self._units(now, id_):
                continue
            mine = (earlier["rank"], earlier["round"], id_)
            for other in waited:
                if other["queue_id"] == earlier["queue_id"] and self._alike(other, earlier):
                    first = (other["rank"], other["round"], other["task_id"])
                    assert mine < first, f"6: {mine} overtook {first}"

    def _alike(self, one: Row, other: Row) -> bool:
        engine = self.world.engine
        return asked_of(engine, one) == asked_of(engine, other)

    def _paused(self, now: Tables, task_id: UUID, pauses: list[Row]) -> bool:
        workflow_id = self.versions[now.task[task_id]["version_id"]].workflow_id
        return any(
            row["kind"] == PauseKind.TENANT or row["target"] == str(workflow_id) for row in pauses
        )

    def _check_paused(self, now: Tables, new: list[tuple[UUID, int]], on: list[Row]) -> None:
        things = {(row["kind"], row["target"]) for row in on}
        for task_id, _ in new:
            assert not self._paused(now, task_id, on), f"REG-24: {task_id} was given out, paused"
            for key, units in self._units(now, task_id).items():
                assert not units or (PauseKind.RATE_LIMIT, key) not in things, f"B16: {key}"
            worker_id = str(now.assigned[task_id]["worker_id"]) if task_id in now.assigned else ""
            assert (PauseKind.WORKER, worker_id) not in things, f"WK-6: {task_id} got {worker_id}"

    # ------------------------------------------------------------ rate limits

    def _check_units(self, before: Tables, now: Tables, new: list[tuple[UUID, int]]) -> None:
        step: Counter[str] = Counter()
        for task_id, attempt in new:
            at_ms = self.world.assigned_ms[task_id, attempt]
            for key, units in self._units(now, task_id).items():
                self.taken.setdefault(key, []).append((at_ms, units))
                step[key] += units
        for key in self.world.forgotten:
            self.taken.pop(key, None)
            self.highest.pop(key, None)
        earlier = {row["key"]: row for row in before.rates}
        for row in now.rates:
            if row["key"] not in self.world.forgotten:
                self._check_key(earlier.get(row["key"]), row, step[row["key"]])

    def _check_key(self, before: Row | None, row: Any, step: int) -> None:
        key, limit, began_ms = row["key"], row["limit_value"], row["began_ms"]
        if limit is None:
            assert not step, f"5: {step} units of {key} were taken, which has no limit"
            return
        assert 0 <= row["remaining"] <= limit, f"5: {key} has {row['remaining']} of {limit}"
        same = before is not None and before["began_ms"] == began_ms
        named = self.world.named_limits.get(key, set()) | {limit}
        if key.startswith("d-"):
            named |= LIMITS_BROUGHT
        self.highest[key] = max(named | ({self.highest.get(key, 0)} if same else set()))
        taken = [one for one in self.taken.get(key, []) if one[0] >= began_ms]
        if before is not None and not same:
            # Of what was taken in the very moment in which a window begins, who can tell.
            taken = [one for one in taken if one[0] > began_ms]
        self.taken[key] = taken
        used = sum(units for _, units in self.taken[key])
        most = self.highest[key]
        assert used + row["remaining"] <= most, f"5: {used} of {key} were taken, {most} there are"
        quiet = not self.world.named_limits.get(key) and not key.startswith("d-")
        if quiet and same:
            assert before is not None
            gone = before["remaining"] - row["remaining"]
            assert gone == step, f"5: {step} units of {key} were taken, {gone} are gone"
        if quiet and before is not None and before["limit_value"] is not None and not same:
            end_ms = before["began_ms"] + WINDOWS_MS[before["window_length"]]
            assert began_ms >= end_ms, f"5: the window of {key} began before the last was over"

    # ------------------------------------------------------------ nobody waits for what is there

    def _check_conserved(self, now: Tables, paused: list[Row]) -> None:
        heads: dict[str, tuple[int, UUID]] = {}
        for id_, row in now.parked.items():
            heads[row["line"]] = min(heads.get(row["line"], (9, id_)), (row["rank"], id_))
        held = Counter(row["line"] for row in now.held)
        kept = {row["target"] for row in paused}
        left = self._left(now, paused)
        claimed = Counter[str]()  # by those who were called and have no slot yet
        for id_ in now.queued:
            claimed.update(self._units(now, id_))
        for line, (_, id_) in heads.items():
            name = line.partition(":")[2]
            if is_place_line(line):
                group = self.world.engine.hot.groups.find(line)
                assert group is not None
                full = held[line] >= group.limit
                assert full or line in kept, f"8: {id_} waits in {line}, which has places"
            elif line[0] == "r":
                units = self._units(now, id_)[name]
                there, limit = left.get(name) or (0, 0)
                there -= claimed[name]
                if self._offered_soon(name):
                    continue
                assert not 0 < units <= there, (
                    f"8: {id_} waits for {units} of {name}, there are {there}"
                )
                assert there <= 0 or units <= limit, (
                    f"8: {id_} asks for {units} of {name} at the head of its line"
                )
            elif line[0] == "o":
                name = name.partition(":")[2]
                units = self._units(now, id_)[name]
                assert left.get(name) is None or units > left[name][1], (
                    f"8: {id_} waits for another limit of {name}"
                )
            elif line[0] == "p":
                assert str(UUID(line[1:])) in kept, f"8: {id_} waits for a pause that is over"
            elif line[0] == "t":
                assert any(row["kind"] == PauseKind.TENANT for row in paused), (
                    f"8: {id_} waits in {line}"
                )
        self._check_queued(now, left)

    def _offered_soon(self, key: str) -> bool:
        """Whether units that another could not use are about to be offered again."""
        bucket = self.world.engine.hot.buckets.find(TENANT, key)
        due_ms = None if bucket is None else bucket.due_ms
        return due_ms is not None and due_ms <= self.world.clock.now_ms() + LEFT_OVER_MS

    def _left(self, now: Tables, paused: list[Row]) -> dict[str, tuple[int, int] | None]:
        """Units that are there now, and the limit, of each key that has one."""
        now_ms = self.world.clock.now_ms()
        kept = {row["target"] for row in paused if row["kind"] == PauseKind.RATE_LIMIT}
        found: dict[str, tuple[int, int] | None] = {}
        for row in now.rates:
            limit = row["limit_value"]
            if limit is None:
                found[row["key"]] = None
                continue
            over = now_ms >= row["began_ms"] + WINDOWS_MS[row["window_length"]]
            there = limit if over else row["remaining"]
            if row["key"] in kept:
                there = 0
            found[row["key"]] = (there, limit)
        return found

    def _check_queued(self, now: Tables, left: dict[str, tuple[int, int] | None]) -> None:
        """Who needs units and stands in a queue lacks a slot and nothing else."""
        for id_, row in now.queued.items():
            units = self._units(now, id_)
            if not any(units.values()):
                continue
            version = self.versions[row["version_id"]]
            step = version.steps[row["step"]]
            if any(worker.fits(step.units) for worker in step.queue.workers):
                raise AssertionError(f"8: {id_} is queued though a worker has room; {left}")
