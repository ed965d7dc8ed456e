"""What a list of runs selects, and the SQL text for it.

Only the conditions in use become text (the pieces are in ``store/sql/read_runs.sql``), so each
combination is prepared once with a plan made for it. Values are always bound, never written in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hatchet_engine.domain.states import Status
from hatchet_engine.observe.times import LATEST_MS, from_ms, id_bounds
from hatchet_engine.store.sql import load

_SQL = load("read_runs")
_NUMBER_LENGTH_MAX = 40  # longer ones are no counters, and Postgres refuses the absurd ones
_ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


@dataclass(slots=True, frozen=True)
class RunQuery:
    """Selects runs (or, with ``only_tasks``, tasks). Empty sequences and None select all.

    ``since`` and ``until`` bound the creation time, both inclusive. ``metadata`` pairs are compared
    as text with top-level values; one match is enough unless ``metadata_all``. ``worker_id`` is the
    worker of the latest attempt.
    """

    tenant_id: UUID
    since: datetime | None = None
    until: datetime | None = None
    statuses: Sequence[Status] = ()
    only_tasks: bool = False
    workflow_ids: Sequence[UUID] = ()
    worker_id: UUID | None = None
    parent_task_id: UUID | None = None
    event_id: UUID | None = None
    metadata: Sequence[tuple[str, str]] = ()
    metadata_all: bool = False


@dataclass(slots=True, frozen=True)
class Statement:
    text: str
    arguments: list[Any]


def page(query: RunQuery, offset: int, limit: int) -> Statement:
    """Ids of one page, newest first."""
    builder = _Builder(query)
    text = _SQL["run_ids"].replace("{branches}", builder.branches(offset + limit))
    text = text.replace("{offset}", builder.bind(offset, "bigint"))
    return Statement(text.replace("{limit}", builder.bind(limit, "bigint")), builder.arguments)


def count(query: RunQuery, most: int) -> Statement:
    """How many there are; each status counts up to ``most``."""
    builder = _Builder(query)
    text = _SQL["run_count"].replace("{branches}", builder.branches(most))
    return Statement(text, builder.arguments)


def ids_as_json(query: RunQuery, most: int) -> Statement:
    """All ids as one JSON array text; at most ``most`` of each status."""
    builder = _Builder(query)
    text = _SQL["run_ids_as_json"].replace("{branches}", builder.branches(most))
    return Statement(text, builder.arguments)


def grouped(query: RunQuery, text: str) -> Statement:
    """A statement with columns of its own over the runs of a query: ``text`` with {filters}.

    Statuses and the worker aren't conditions here.
    """
    builder = _Builder(query)
    return Statement(text.replace("{filters}", builder.conditions), builder.arguments)


class _Builder:
    """Collects the text of a query's conditions together with their arguments."""

    def __init__(self, query: RunQuery) -> None:
        lowest, after = id_bounds(query.since, query.until)
        since = query.since or from_ms(0)
        until = query.until or from_ms(LATEST_MS)
        self.arguments: list[Any] = [query.tenant_id, lowest, after, since, until]
        self._query = query
        self.conditions = self._conditions()

    def bind(self, value: Any, type_name: str = "") -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}" + (f"::{type_name}" if type_name else "")

    def branches(self, most: int) -> str:
        """All ways in that the query needs; each gives at most ``most`` ids."""
        bound = self.bind(most, "bigint")
        parts = [self._branch(status) for status in self._statuses()]
        return " union all ".join(f"({part})" for part in parts).replace("{most}", bound)

    def _statuses(self) -> Sequence[Status | None]:
        """One branch per status; None: one branch for all of them."""
        statuses = tuple(dict.fromkeys(self._query.statuses))
        if self._query.worker_id is not None:
            return statuses or (Status.RUNNING, *_ENDED)  # what waits has no worker
        return statuses if statuses and len(statuses) < len(Status) else (None,)

    def _branch(self, status: Status | None) -> str:
        worker_id = self._query.worker_id
        if status is None:
            return self._fill("run_page_any")
        if status is Status.QUEUED:
            return self._fill("run_page_queued", "and false" if worker_id else "")
        if status is Status.RUNNING:
            more = self._piece("run_filter_worker_running", worker_id) if worker_id else ""
            return self._fill("run_page_running", more)
        more = self._piece("run_filter_worker_ended", worker_id) if worker_id else ""
        return self._fill("run_page_ended", more).replace("{status}", str(int(status)))

    def _fill(self, name: str, more: str = "") -> str:
        return _SQL[name].replace("{filters}", f"{self.conditions} {more}")

    def _piece(self, name: str, value: Any) -> str:
        return _SQL[name].replace("{value}", self.bind(value))

    def _conditions(self) -> str:
        query = self._query
        pieces = [_SQL["run_filter_tasks" if query.only_tasks else "run_filter_runs"]]
        if len(query.workflow_ids) == 1:
            # Equality lets the index deliver in order; a list of values can't.
            pieces.append(self._piece("run_filter_workflow", query.workflow_ids[0]))
        elif query.workflow_ids:
            pieces.append(self._piece("run_filter_workflows", list(query.workflow_ids)))
        if query.parent_task_id is not None:
            pieces.append(self._piece("run_filter_parent", query.parent_task_id))
        if query.event_id is not None:
            pieces.append(self._piece("run_filter_event", str(query.event_id)))
        if query.metadata:
            groups = [[pair] for pair in query.metadata] if query.metadata_all else [query.metadata]
            for group in groups:
                texts = [text for key, value in group for text in containments(key, value)]
                pieces.append(self._piece("run_filter_metadata", texts))
        return "\n".join(pieces)


def containments(key: str, value: str) -> list[str]:
    """JSON objects, one of which is contained in metadata whose ``key`` reads as ``value``.

    Containment can use the index; comparing texts can't. A number or a boolean matches its text.

    >>> containments("n", "1")
    ['{"n":"1"}', '{"n":1}']
    """
    texts = [orjson.dumps({key: value}).decode()]
    try:
        scalar = orjson.loads(value)
    except orjson.JSONDecodeError:
        return texts
    plain = "e" not in value.lower() and len(value) <= _NUMBER_LENGTH_MAX
    if isinstance(scalar, bool) or (isinstance(scalar, int | float) and plain):
        texts.append(f"{{{orjson.dumps(key).decode()}:{value.strip()}}}")
    return texts
