"""What a list of runs selects, and the SQL text for it.

Only the conditions in use become text (the pieces are in ``store/sql/read_runs.sql``), so each
combination is prepared once with a plan made for it. Values are always bound, never written in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hatchet_engine.domain.states import Status
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.times import LATEST_MS, exact_bounds, from_ms, id_bounds

_SQL = statements("read_runs")
SLOWLY_COUNTED_MAX = 5_000  # where a count has to look at what it does not count
_RUN_OF = re.compile(r"\{run of ([^}]+)\}")
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
    idempotency_keys: Sequence[str] = ()
    triggered: bool = False  # only what an event has caused
    metadata: Sequence[tuple[str, str]] = ()
    metadata_all: bool = False

    @property
    def any_run(self) -> bool:
        """Whether nothing but time and status selects."""
        chosen = self.workflow_ids or self.worker_id or self.parent_task_id or self.event_id
        if self.only_tasks or self.triggered or self.metadata or self.idempotency_keys:
            return False
        return not chosen


@dataclass(slots=True, frozen=True)
class Roles:
    """What spares a search for DAG runs: in which queues it can find anything, by actions of tasks
    that may be the first of their run and of tasks that may wait in a run that has begun; and
    whether a waiting task tells by itself that its run has begun, by pairs of version and step."""

    first: Sequence[str]
    later: Sequence[str]
    roots: Sequence[tuple[UUID, int]]  # of DAGs
    open: Sequence[tuple[UUID, int]]  # roots that are not the only one of their DAG


@dataclass(slots=True, frozen=True)
class Statement:
    text: str
    arguments: list[Any]


def page(query: RunQuery, offset: int, limit: int, roles: Roles | None = None) -> Statement:
    """Ids of one page, newest first. Without ``roles`` every queue is looked into."""
    builder = _Builder(query, roles)
    text = _SQL["run_ids"].replace("{branches}", builder.branches(offset + limit))
    text = text.replace("{offset}", builder.bind(offset, "bigint"))
    return Statement(text.replace("{limit}", builder.bind(limit, "bigint")), builder.arguments)


def count(query: RunQuery, most: int, roles: Roles | None = None) -> Statement:
    """How many there are; each status counts up to ``most``."""
    builder = _Builder(query, roles, counting=True)
    text = _SQL["run_count"].replace("{branches}", builder.branches(most))
    return Statement(text, builder.arguments)


def ids_as_json(query: RunQuery, most: int, roles: Roles | None = None) -> Statement:
    """All ids as one JSON array text; at most ``most`` of each status."""
    builder = _Builder(query, roles)
    text = _SQL["run_ids_as_json"].replace("{branches}", builder.branches(most))
    return Statement(text, builder.arguments)


def within(query: RunQuery, text: str, most: int, roles: Roles | None, *values: Any) -> Statement:
    """A statement over the runs of a query: ``text`` with {branches}, and {0}, {1} ... for values.

    At most ``most`` runs of each status are looked at.
    """
    builder = _Builder(query, roles)
    text = text.replace("{branches}", builder.branches(most))
    for number, value in enumerate(values):
        text = text.replace(f"{{{number}}}", builder.bind(value))
    return Statement(text, builder.arguments)


def grouped(query: RunQuery, text: str) -> Statement:
    """A statement with columns of its own over the runs of a query: ``text`` with {filters}.

    Statuses and the worker aren't conditions here.
    """
    builder = _Builder(query)
    return Statement(text.replace("{filters}", builder.conditions), builder.arguments)


class _Builder:
    """Collects the text of a query's conditions together with their arguments."""

    def __init__(
        self, query: RunQuery, roles: Roles | None = None, *, counting: bool = False
    ) -> None:
        lowest, after = id_bounds(query.since, query.until)
        since = query.since or from_ms(0)
        until = query.until or from_ms(LATEST_MS)
        self.arguments: list[Any] = [query.tenant_id, lowest, after, since, until]
        self._query = query
        self._roles = roles
        self._counting = counting
        # Time and status are all that matters: then ids tell enough.
        self._by_id = counting and replace(query, only_tasks=False).any_run
        self.conditions = self._conditions()

    def bind(self, value: Any, type_name: str = "") -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}" + (f"::{type_name}" if type_name else "")

    def branches(self, most: int) -> str:
        """All ways in that the query needs; each gives at most ``most`` ids."""
        bound = self.bind(most, "bigint")
        parts = [part for status in self._statuses() for part in self._branches(status)]
        return " union all ".join(f"({part})" for part in parts).replace("{most}", bound)

    def _statuses(self) -> Sequence[Status | None]:
        """One branch per status; None: one branch for all of them."""
        statuses = tuple(dict.fromkeys(self._query.statuses))
        if self._query.worker_id is not None:
            return statuses or (Status.RUNNING, *_ENDED)  # what waits has no worker
        return statuses if statuses and len(statuses) < len(Status) else (None,)

    def _branches(self, status: Status | None) -> list[str]:
        query = self._query
        worker_id = query.worker_id
        if status is None:
            return self._any()
        if status is Status.QUEUED:
            if worker_id is not None:
                return [self._fill("run_page_any", _SQL["run_filter_none"])]  # no worker yet
            if not query.only_tasks:
                return [self._fill("run_page_queued")]
            return [self._slowly(self._fill("run_page_queued_tasks"))]
        if status is Status.RUNNING:
            more = self._piece("run_filter_worker_running", worker_id) if worker_id else ""
            running = [self._fill("run_page_running", more)]
            if not (query.only_tasks or worker_id):
                running.append(self._fill("run_page_running_dags"))
            return running
        return [self._ended().replace("{status}", str(int(status)))]

    def _ended(self) -> str:
        query = self._query
        kinds = _SQL["run_filter_ended_tasks" if query.only_tasks else "run_filter_ended_runs"]
        if self._by_id:
            text = self._fill_bounds(_SQL["run_count_ended"])
        elif self._counting and replace(query, workflow_ids=()).any_run:
            text = self._fill_bounds(_SQL["run_count_ended_workflows"])
            text = text.replace("{filters}", self.conditions)
        elif query.worker_id is not None:
            more = self._piece("run_filter_worker_ended", query.worker_id)
            text = self._slowly(self._fill("run_page_ended", more))
        else:
            text = self._fill("run_page_ended")
        return text.replace("{kinds}", kinds)

    def _any(self) -> list[str]:
        """All statuses at once: by time, or by the indexes of workflows, which know no members."""
        query = self._query
        if not query.workflow_ids:
            return [self._fill("run_page_any")]
        workflows = self.bind(list(query.workflow_ids))
        names = {"run_page_workflows": ""}
        if query.only_tasks:
            names = {"run_page_workflows": _SQL["run_filter_standalone"], "run_page_members": ""}
        parts = [
            self._fill(name, more).replace("{workflows}", workflows) for name, more in names.items()
        ]
        return [*parts[:1], *map(self._slowly, parts[1:])]

    def _slowly(self, text: str) -> str:
        if not self._counting:
            return text
        return text.replace("{most}", f"least({{most}}, {SLOWLY_COUNTED_MAX})")

    def _fill(self, name: str, more: str = "") -> str:
        text = self._fill_roles(_SQL[name])
        if "{run of " in text:
            piece = _SQL["run_task"]
            if self._by_id:
                piece = self._fill_bounds(_SQL["run_by_id"])
            text = _RUN_OF.sub(lambda mark: piece.replace("{value}", mark[1]), text)
        workflows = self._query.workflow_ids
        for mark, piece in (("{queues}", "run_filter_queues"), ("{parked}", "run_filter_parked")):
            if mark in text:
                text = text.replace(mark, self._piece(piece, list(workflows)) if workflows else "")
        return text.replace("{filters}", f"{self.conditions} {more}")

    def _fill_bounds(self, text: str) -> str:
        lower, upper = exact_bounds(self._query.since, self._query.until)
        return text.replace("{lower}", self.bind(lower)).replace("{upper}", self.bind(upper))

    def _fill_roles(self, text: str) -> str:
        """Values are bound where they are used only: Postgres can't tell the type of others."""
        roles = self._roles
        if roles is None:
            text = text.replace("{first}", "true").replace("{later}", "true")
            text = text.replace("{item of a running run}", _SQL["run_begun_member"])
            return text.replace("{item of a queued run}", f"not {_SQL['run_begun_member']}")
        for mark, actions in (("{first}", roles.first), ("{later}", roles.later)):
            if mark in text:
                text = text.replace(mark, self._piece("run_filter_action", list(actions)))
        for mark, name in (
            ("{item of a running run}", "run_item_running"),
            ("{item of a queued run}", "run_item_queued"),
        ):
            if mark in text:
                piece = _SQL[name]
                for pairs, kind in ((roles.roots, ""), (roles.open, "open ")):
                    versions, steps = [one[0] for one in pairs], [one[1] for one in pairs]
                    piece = piece.replace(f"{{{kind}versions}}", self.bind(versions))
                    piece = piece.replace(f"{{{kind}steps}}", self.bind(steps))
                text = text.replace(mark, piece)
        return text

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
            name = "run_filter_event_tasks" if query.only_tasks else "run_filter_event"
            pieces.append(self._piece(name, str(query.event_id)))
        if query.idempotency_keys:
            name = "run_filter_keys_tasks" if query.only_tasks else "run_filter_keys"
            pieces.append(self._piece(name, list(query.idempotency_keys)))
        if query.triggered:
            pieces.append(_SQL["run_filter_triggered"])
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
