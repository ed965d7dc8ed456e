"""Callers of everything of flow control, all at once, and the book of what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from hatchet import (
    ConnectionLostError,
    EngineUnavailableError,
    Hatchet,
    HatchetCallError,
    IdempotencyCollisionError,
    RateLimitDuration,
    RunCancelledError,
)
from hatchet.clients.rest.exceptions import (
    BadRequestException,
    RestTransportError,
    ServiceException,
)
from hatchet.features.flow_models import Pause
from tests.chaos.flow import API, API_UNITS, BY_CLOCK, CANCELLING, Done, Job, declare_flow

T = TypeVar("T")

AGAIN_PAUSE_S = 0.1
LOST_PAUSE_S = 0.5
RESULT_TIMEOUT_S = 60.0
CALLERS_OF_ONE_KEY = 3
AHEAD_S = 14.0  # what is scheduled before the first kill is due within this time
CRONS, SLOW_CRON = 4, "slow"
LONG_MS = (2_500, 3_500)  # longer than the engine is away
LONG_ONES = ("limited", "dynamic", "shared-a", "newest-waits", "first", "alone", "batch")

EVERYTHING = ("tenant", "")
KEYS = ("ann", "bob", "eve")
PLACES = {"ann": 1, "bob": 2, "eve": 3}


class Held(NamedTuple):
    """Nothing of `target` may be given to workers between two times of the wall clock, in ms."""

    kind: str
    target: str
    begin_ms: float
    end_ms: float


def now_ms() -> float:
    return time.time_ns() / 1e6


def lost(error: Exception) -> bool:
    """Whether the engine was away, so that nobody knows what became of the call."""
    if isinstance(error, HatchetCallError):
        return error.code == "UNAVAILABLE"
    away = (ConnectionLostError, EngineUnavailableError, RestTransportError, ServiceException)
    return isinstance(error, away)


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call that may be repeated, until it is answered."""
    while True:
        try:
            return await call()
        except Exception as error:
            if not lost(error):
                raise
        await asyncio.sleep(AGAIN_PAUSE_S)


class FlowLoad:
    """Runs from :meth:`prepare` to :meth:`finish`; each job has a number of its own."""

    def __init__(self, hatchet: Hatchet, chance: random.Random) -> None:
        self.flow = declare_flow(hatchet)
        self.jobs: dict[int, tuple[str, Job]] = {}  # workflow and job of each number
        self.told: dict[int, str] = {}  # run ids, as triggers were answered
        self.ends: dict[int, Done | dict[str, Any] | None] = {}  # results; None: cancelled
        self.doubt: set[int] = set()  # numbers whose trigger or schedule was not answered
        # Ids that callers with the same idempotency key were told, by workflow and key.
        self.holders: dict[str, dict[str, list[str]]] = {"once": {}, "alone": {}}
        self.due: dict[int, float] = {}  # when scheduled numbers are due, in ms
        self.deleted: set[int] = set()
        self.held: list[Held] = []
        self._hatchet = hatchet
        self._chance = chance
        self._over = asyncio.Event()
        self._streams: list[asyncio.Task[None]] = []
        self._waiters: list[asyncio.Task[None]] = []
        self._crons: list[str] = []

    # ------------------------------------------------------------ life

    async def prepare(self) -> None:
        """What must be there before the first kill; then all callers begin."""
        await self._hatchet.rate_limits.aio_put(API, API_UNITS, RateLimitDuration.SECOND)
        await self._make_schedules()
        await self._make_crons()
        bursts: dict[str, Callable[[], list[Job]]] = {
            "limited": lambda: self._some("limited", 5, failing=True),
            "dynamic": lambda: self._some("dynamic", 4, failing=True),
            "shared-a": lambda: self._some("shared-a", 2, failing=True),
            "shared-b": lambda: self._some("shared-b", 2),
            "chain": lambda: self._some("chain", 3, failing=True),
            "metered": lambda: self._some("metered", 3, failing=True),
            "api-only": lambda: self._some("api-only", 2),
            "routed": lambda: self._some("routed", 2, failing=True),
            "film": lambda: self._some("film", 2),
            "batch": lambda: self._some("batch", 6, failing=True),
            "newest": lambda: self._some("newest", 1, sleep_ms=(50, 600)),
            "first": lambda: self._some("first", 1, sleep_ms=(50, 300)),
            "newest-waits": lambda: self._some("newest-waits", 2, sleep_ms=(50, 300)),
            "oldest-waits": lambda: self._some("oldest-waits", 2, sleep_ms=(50, 300)),
        }
        calls = [self._bursts(name, burst) for name, burst in bursts.items()]
        calls += [self._same_keys("once"), self._same_keys("alone"), self._schedule_on()]
        calls += [self._pause_and_resume()]
        self._streams = [asyncio.create_task(call) for call in calls]

    async def begin_long(self) -> None:
        """What runs while the engine is away and goes on afterwards: it holds its places."""
        for name in LONG_ONES:
            jobs = self._some(name, 1, sleep_ms=LONG_MS)
            await (self._with_key(jobs[0]) if name == "alone" else self._start(name, jobs))

    async def finish(self) -> None:
        """Wait until everybody has stopped, and everything that was started has ended."""
        self._over.set()
        await asyncio.gather(*self._streams)
        left_s = (max(self.due.values()) - now_ms()) / 1_000
        await asyncio.sleep(max(0.0, left_s) + 0.2)
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            await asyncio.gather(*self._waiters)
        for cron in self._crons:
            await insist(lambda cron=cron: self._hatchet.cron.aio_disable(cron))

    @property
    def broken(self) -> BaseException | None:
        """The error of a caller that should have got none."""
        for task in [*self._streams, *self._waiters]:
            if task.done():
                try:
                    task.result()
                except (Exception, asyncio.CancelledError) as error:
                    return error
        return None

    async def _pause(self, least_s: float = 0.03, most_s: float = 0.25) -> None:
        await asyncio.sleep(self._chance.uniform(least_s, most_s))

    # ------------------------------------------------------------ triggers

    def _job(self, workflow: str, **given: Any) -> Job:
        job = Job(number=len(self.jobs), **given)
        self.jobs[job.number] = (workflow, job)
        return job

    def _some(
        self,
        workflow: str,
        count: int,
        *,
        failing: bool = False,
        sleep_ms: tuple[int, int] = (2, 50),
    ) -> list[Job]:
        jobs = []
        for _ in range(count):
            key = self._chance.choice(KEYS)
            given = {"key": key, "other": self._chance.choice(KEYS), "places": PLACES[key]}
            given["units"] = self._chance.randint(1, 3)
            given["sleep_ms"] = self._chance.randint(*sleep_ms)
            if failing:
                given["fail_on"] = self._chance.choices([[], [0], [0, 1]], [88, 8, 4])[0]
            jobs.append(self._job(workflow, **given))
        return jobs

    async def _bursts(self, name: str, burst: Callable[[], list[Job]]) -> None:
        while not self._over.is_set():
            await self._start(name, burst())
            await self._pause()

    async def _start(self, name: str, jobs: list[Job]) -> None:
        """One call; strategies that cancel go by age alone, so theirs have one priority."""
        workflow = self.flow[name]
        equal = name in CANCELLING
        items = [
            workflow.create_bulk_run_item(job, priority=1 if equal else self._chance.randint(1, 3))
            for job in jobs
        ]
        try:
            refs = await workflow.aio_run_many_no_wait(items)
        except Exception as error:
            if not lost(error):
                raise
            self.doubt.update(job.number for job in jobs)
            await asyncio.sleep(LOST_PAUSE_S)
            return
        for job, ref in zip(jobs, refs, strict=True):
            self._accept(job, ref)

    def _accept(self, job: Job, ref: Any) -> None:
        self.told[job.number] = ref.workflow_run_id
        self._waiters.append(asyncio.create_task(self._wait(job.number, ref)))

    async def _wait(self, number: int, ref: Any) -> None:
        try:
            self.ends[number] = await insist(ref.aio_result)
        except RunCancelledError:
            self.ends[number] = None

    async def _same_keys(self, name: str) -> None:
        """Several callers ask for the same key at the same time; "once" gets new keys now and then,
        and asks for the old ones again, too."""
        keys = [*KEYS]
        while not self._over.is_set():
            if name == "once" and self._chance.random() < 0.6:
                keys.append(f"order-{len(keys)}")
            key = self._chance.choice(keys[-3:])
            jobs = [
                self._job(name, key=key, sleep_ms=self._chance.randint(2, 200))
                for _ in range(CALLERS_OF_ONE_KEY)
            ]
            await asyncio.gather(*map(self._with_key, jobs))
            await self._pause()

    async def _with_key(self, job: Job) -> None:
        name, _ = self.jobs[job.number]
        told = self.holders[name].setdefault(job.key, [])
        try:
            ref = await self.flow[name].aio_run_no_wait(job)
        except IdempotencyCollisionError as collision:
            told.append(collision.existing_run_external_id)
        except Exception as error:
            if not lost(error):
                raise
            self.doubt.add(job.number)
        else:
            told.append(ref.workflow_run_id)
            self._accept(job, ref)

    # ------------------------------------------------------------ schedules

    def _at(self, ahead_s: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead_s)

    async def _make_schedules(self) -> None:
        """By a program and by name; some are moved, some deleted."""
        later, scheduled = self.flow["later"], self._hatchet.scheduled
        for _ in range(30):
            await self._schedule(self._chance.uniform(-1, AHEAD_S))
        for place in range(12):
            job, at = self._job("later"), self._at(self._chance.uniform(8, AHEAD_S))
            made = await scheduled.aio_create(later.name, at, job.model_dump())
            if place % 3 == 0:
                await scheduled.aio_delete(made.metadata.id)
                self.deleted.add(job.number)
                continue
            if place % 3 == 1:
                at = self._at(self._chance.uniform(1, AHEAD_S))
                await scheduled.aio_update(made.metadata.id, at)
            self.due[job.number] = at.timestamp() * 1_000

    async def _schedule(self, ahead_s: float) -> None:
        job, at = self._job("later"), self._at(ahead_s)
        self.due[job.number] = at.timestamp() * 1_000
        try:
            await self.flow["later"].aio_schedule(at, job)
        except Exception as error:
            if not lost(error):
                raise
            self.doubt.add(job.number)

    async def _schedule_on(self) -> None:
        while not self._over.is_set():
            await self._schedule(self._chance.uniform(-0.5, 3))
            await self._pause()

    async def _make_crons(self) -> None:
        """Besides the declared one: some that fire every second, one that never overlaps."""
        ticking = self.flow["ticking"]
        for number in range(CRONS):
            job = Job(number=BY_CLOCK)
            await ticking.aio_create_cron(f"cron-{number}", "* * * * * *", job)
        slow = Job(number=BY_CLOCK, sleep_ms=1_300)
        await ticking.aio_create_cron(SLOW_CRON, "OVERLAP=SKIP * * * * * *", slow)
        rows = (await self._hatchet.cron.aio_list(workflow_name="ticking")).rows or []
        self._crons = [row.metadata.id for row in rows]

    # ------------------------------------------------------------ pauses

    async def _pause_and_resume(self) -> None:
        """One pause after the other; some end by themselves."""
        limited = await asyncio.to_thread(lambda: self.flow["limited"].id)
        pauses, units = self._hatchet.pauses, self._hatchet.rate_limits
        ending: dict[tuple[str, str], Callable[[datetime], Awaitable[Any]]] = {
            ("workflow", "limited"): lambda at: pauses.aio_pause_workflow(limited, until=at),
            ("units", API): lambda at: units.aio_pause(API, at),
        }
        lasting: dict[tuple[str, str], Callable[[], Awaitable[Pause]]] = {
            ("workflow", "limited"): lambda: pauses.aio_pause_workflow(limited),
            ("key", KEYS[0]): lambda: pauses.aio_pause_key(KEYS[0], limited),
            EVERYTHING: pauses.aio_pause_all,
        }
        while not self._over.is_set():
            await self._pause(0.1, 0.5)
            target = self._chance.choice([*ending, *lasting])
            lasts_s = self._chance.uniform(0.2, 0.7 if target == EVERYTHING else 3)
            if (target in ending and self._chance.random() < 0.5) or target not in lasting:
                until = await self._until(ending[target], lasts_s)
                self._hold(*target, now_ms(), until.timestamp() * 1_000)
                await asyncio.sleep(lasts_s)
            else:
                pause = await insist(lasting[target])
                begin_ms = now_ms()
                await asyncio.sleep(lasts_s)
                self._hold(*target, begin_ms, now_ms())
                await insist(lambda pause=pause: pauses.aio_end(pause))

    async def _until(self, begin: Callable[[datetime], Awaitable[Any]], lasts_s: float) -> datetime:
        """Begin a pause that ends by itself; the end counts from the call that was answered."""

        async def call() -> datetime:
            until = self._at(lasts_s)
            # It may be heard only when it has passed; then it is asked for once more.
            with contextlib.suppress(BadRequestException):
                await begin(until)
                return until
            return await call()

        return await insist(call)

    def _hold(self, kind: str, target: str, begin_ms: float, end_ms: float) -> None:
        if begin_ms < end_ms:
            self.held.append(Held(kind, target, begin_ms, end_ms))
