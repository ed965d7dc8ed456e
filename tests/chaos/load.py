"""Callers that trigger tasks, wait for their results, and keep a book of what they were told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from hatchet import EngineUnavailableError, HatchetCallError, TriggerOutcomeUnknownError
from tests.chaos.cluster import REASSIGNED, Cluster
from tests.chaos.tasks import Done, Work

RESULT_TIMEOUT_S = 90.0
AGAIN_PAUSE_S = 0.1


class Load:
    """Each number is triggered until a caller has got its result.

    A trigger whose outcome is unknown is tried again under new numbers, so that each number was
    sent exactly once and may be looked for afterwards.
    """

    def __init__(self, work: Any, chance: random.Random, sleep_ms: tuple[int, int]) -> None:
        self.done: dict[int, Done] = {}
        self.unknown: list[list[int]] = []  # numbers of triggers that ended in doubt
        self.refused: list[list[int]] = []  # of those that were not taken
        self.errors = Counter[str]()
        self._work = work
        self._chance = chance
        self._sleep_ms = sleep_ms
        self._expected: dict[int, int] = {}
        self._next = 0

    def _inputs(self, count: int) -> list[Work]:
        inputs = []
        for _ in range(count):
            failing = self._chance.choices([[], [0], [0, 1]], [90, 7, 3])[0]
            sleep_ms = self._chance.randint(*self._sleep_ms)
            inputs.append(Work(number=self._next, sleep_ms=sleep_ms, fail_on=failing))
            self._expected[self._next] = len(failing)
            self._next += 1
        return inputs

    async def _once(self, inputs: list[Work]) -> list[Done]:
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            if len(inputs) == 1:
                return [await self._work.aio_run(inputs[0])]
            items = [self._work.create_bulk_run_item(one) for one in inputs]
            done: list[Done] = await self._work.aio_run_many(items)
            return done

    async def _until_done(self, count: int) -> None:
        while True:
            inputs = self._inputs(count)
            numbers = [one.number for one in inputs]
            try:
                results = await self._once(inputs)
            except TriggerOutcomeUnknownError as error:
                self._note(error, self.unknown, numbers)
            except EngineUnavailableError as error:
                self._note(error, self.refused, numbers)
            except HatchetCallError as error:
                if error.code != "UNAVAILABLE":
                    raise
                # The engine says that it lost its database; whether the runs are stored is open.
                self._note(error, self.unknown, numbers)
            else:
                assert [one.number for one in results] == numbers
                self.done.update(zip(numbers, results, strict=True))
                return
            await asyncio.sleep(AGAIN_PAUSE_S)

    def _note(self, error: Exception, book: list[list[int]], numbers: list[int]) -> None:
        self.errors[type(error).__name__] += 1
        book.append(numbers)

    async def _caller(self, rounds: int, count: int) -> None:
        for _ in range(rounds):
            await self._until_done(count)

    async def run(self, callers: int, rounds: int, count: int) -> None:
        """So many callers, each with so many triggers of `count` items, one after the other."""
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._caller(rounds, count))

    async def check(self, cluster: Cluster) -> None:
        """What callers were told is what is stored."""
        stored = await cluster.numbers()
        print(f"done {len(self.done)}, in doubt {len(self.unknown)}, errors {dict(self.errors)}")
        for number in self.done:
            assert len(stored.get(number, [])) == 1, f"{number} is stored {stored.get(number)}"
        for numbers in self.unknown:
            counts = {len(stored.get(number, [])) for number in numbers}
            assert counts in ({0}, {1}), f"a trigger is stored in part or twice: {numbers}"
        for numbers in self.refused:
            assert not any(number in stored for number in numbers), "refused, but stored"
        moved = Counter(task_id for task_id, _ in await cluster.events(REASSIGNED))
        for number, done in self.done.items():
            least = self._expected[number]
            (task_id,) = stored[number]
            if not moved[task_id]:
                assert done.attempt == least, f"{done} after {least} failures as told"
            else:
                # An attempt that was to fail may have been lost before it did.
                assert done.attempt <= least + moved[task_id], done
