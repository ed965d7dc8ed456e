"""What clients ask of a long history, with parameters drawn at random. Each question takes the way
of its REST route: ids, rows, tasks, the total, and the answer as bytes."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.history.fill import NAMES, TENANT, History
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import metrics, runs
from hatchet_engine.observe.run_query import RunQuery
from hatchet_engine.observe.times import from_ms
from hatchet_engine.store.partitions import DAY_MS
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import runs as codec
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.runs import V1TaskSummaryList

LIMIT = 50
Question = Callable[[], Awaitable[object]]


class Questions:
    """``all``: by name, in the order of the table."""

    def __init__(self, pool: asyncpg.Pool, history: History, seed: int = 1) -> None:
        self._pool = pool
        self._history = history
        self._random = random.Random(seed)
        self.all: dict[str, Question] = {}
        self._lists()
        self._lists_of_tasks()
        self._others()

    def _lists(self) -> None:
        self._list("newest")
        self._list("some day", day=self._some_day)
        self._list("14 days", day=self._all_days)
        for status in Status:
            self._list(status.name, statuses=[status])
        self._list("alive", statuses=[Status.QUEUED, Status.RUNNING])
        self._list("failed or cancelled", statuses=[Status.FAILED, Status.CANCELLED])
        for status in (Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED):
            self._list(f"{status.name}, 14 days", day=self._all_days, statuses=[status])
        self._list("FAILED, some day", day=self._some_day, statuses=[Status.FAILED])
        for name in ("mail", "order", "refund", "audit", "job-3"):
            self._list(f"workflow {name}", workflow_ids=[self._workflow(name)])
        two = [self._workflow("order"), self._workflow("mail")]
        self._list("two workflows", workflow_ids=two)
        for name in ("mail", "order", "audit"):
            for status in (Status.QUEUED, Status.RUNNING, Status.COMPLETED, Status.FAILED):
                self._list(
                    f"workflow {name}, {status.name}",
                    workflow_ids=[self._workflow(name)],
                    statuses=[status],
                )
        self._list("workflow order, 14 days", self._all_days, workflow_ids=two[:1])
        self._list("tasks of order, 14 days", self._all_days, only_tasks=True, workflow_ids=two[:1])
        self._list("metadata customer", metadata=self._customer)
        self._list("metadata customer, 14 days", day=self._all_days, metadata=self._customer)
        self._list("metadata region", metadata=self._region)
        self._list("metadata region, 14 days", day=self._all_days, metadata=self._region)
        self._list("metadata request, 14 days", day=self._all_days, metadata=self._request)
        both = lambda: [*self._customer(), *self._region()]  # noqa: E731
        self._list("customer and region", metadata=both, metadata_all=True)
        self._list("customer, FAILED", metadata=self._customer, statuses=[Status.FAILED])
        self._list("region, FAILED", metadata=self._region, statuses=[Status.FAILED])
        self._list("region, COMPLETED", metadata=self._region, statuses=[Status.COMPLETED])
        self._list("region, workflow order", metadata=self._region, workflow_ids=two[:1])
        self._list("children of a task", day=self._all_days, parent_task_id=self._parent)
        self._list(
            "children of a task of 10,000", self._all_days, parent_task_id=self._large_parent
        )
        self._list("runs of an event", day=self._all_days, event_id=self._event)
        for offset in (1_000, 5_000, 19_950):
            self._list(f"offset {offset:,}", offset=offset)
        self._list("offset 5,000, FAILED, 14 days", self._all_days, 5_000, statuses=[Status.FAILED])

    def _lists_of_tasks(self) -> None:
        self._list("tasks", only_tasks=True)
        for status in Status:
            self._list(f"tasks, {status.name}", only_tasks=True, statuses=[status])
        for name in ("mail", "order", "refund"):
            self._list(f"tasks of {name}", only_tasks=True, workflow_ids=[self._workflow(name)])
            self._list(
                f"tasks of {name}, FAILED",
                only_tasks=True,
                workflow_ids=[self._workflow(name)],
                statuses=[Status.FAILED],
            )
        self._list("tasks, customer", only_tasks=True, metadata=self._customer)
        self._list(
            "tasks, customer, 14 days", self._all_days, only_tasks=True, metadata=self._customer
        )
        self._list("tasks of an event", self._all_days, only_tasks=True, event_id=self._event)
        self._list("tasks of a worker", only_tasks=True, worker_id=self._worker)

    def _others(self) -> None:
        pool = self._pool
        self._add("details", lambda: runs.run_get(pool, TENANT, self._run()))
        self._add("details of a DAG run", lambda: runs.run_get(pool, TENANT, self._run(7)))
        self._add("status", lambda: runs.run_status(pool, TENANT, self._run()))
        for name, day, more in (
            ("", self._newest_day, {}),
            (" of some day", self._some_day, {}),
            (", workflow mail", self._newest_day, {"workflow_ids": [self._workflow("mail")]}),
            (", workflow order", self._newest_day, {"workflow_ids": [self._workflow("order")]}),
            (", customer", self._newest_day, {"metadata": self._customer}),
            (", region *", self._newest_day, {"metadata": self._region}),
            (" of 14 days *", self._all_days, {}),
        ):
            self._add(
                f"status counts{name}",
                lambda day=day, more=more: metrics.status_counts(pool, self._query(day, more)),
            )
        self._add("queue metrics", lambda: metrics.queue_depths(pool, TENANT))
        self._add("task stats", lambda: metrics.task_stats(pool, TENANT))
        self._add("chart of 24 h", self._points)

    def _add(self, name: str, question: Question) -> None:
        self.all[name] = question

    def _list(
        self,
        name: str,
        day: Callable[[], tuple[datetime, datetime | None]] | None = None,
        offset: int = 0,
        **selection: Any,
    ) -> None:
        query_day = day or self._newest_day
        self._add(name, lambda: self._page(self._query(query_day, selection), offset))

    def _query(self, day: Callable[[], tuple[datetime, datetime | None]], more: Any) -> RunQuery:
        since, until = day()
        drawn = {name: value() if callable(value) else value for name, value in more.items()}
        return RunQuery(TENANT, since, until, **drawn)

    async def _page(self, query: RunQuery, offset: int) -> object:
        page = await runs.run_list(self._pool, query, offset=offset, limit=LIMIT, payloads=False)
        shown = [*page.rows, *(task for tasks in page.members.values() for task in tasks)]
        counts = await runs.child_counts(self._pool, TENANT, [row.id for row in shown])
        rows = codec.page(TENANT, page, counts, as_run=not query.only_tasks)
        return answer(
            V1TaskSummaryList(pagination=pagination.endless(offset, LIMIT, page.total), rows=rows)
        )

    async def _points(self) -> object:
        axis = metrics.buckets(None, None, self._history.end_ms)
        return await metrics.run_points(self._pool, TENANT, axis, from_ms(self._history.end_ms))

    def _newest_day(self) -> tuple[datetime, None]:
        return from_ms(self._history.end_ms - DAY_MS), None

    def _all_days(self) -> tuple[datetime, None]:
        return from_ms(self._history.start_ms), None

    def _some_day(self) -> tuple[datetime, datetime]:
        first = self._random.randrange(self._history.start_ms, self._history.end_ms - DAY_MS)
        return from_ms(first), from_ms(first + DAY_MS)

    def _run(self, last: int | None = None) -> UUID:
        """Any run; ``last``: of those with this number of twenty."""
        number = self._random.randrange(self._history.runs)
        return self._history.id_of(number if last is None else number // 20 * 20 + last)

    def _workflow(self, name: str) -> UUID:
        assert name in NAMES
        return self._history.workflow_ids[name]

    def _parent(self) -> UUID:
        return self._run(0)

    def _large_parent(self) -> UUID:
        return self._history.id_of(self._random.randrange(self._history.runs) // 200_000 * 200_000)

    def _event(self) -> UUID:
        return self._history.event_of(self._random.randrange(self._history.runs))

    def _worker(self) -> UUID:
        return self._history.id_of(self._random.randrange(50), 4_000)

    def _customer(self) -> list[tuple[str, str]]:
        return [("customer", str(self._random.randrange(5_000)))]

    def _region(self) -> list[tuple[str, str]]:
        return [("region", str(self._random.randrange(5)))]

    def _request(self) -> list[tuple[str, str]]:
        return [("request", str(self._random.randrange(self._history.runs)))]
