"""What a list of events selects, and the SQL text for it (pieces: store/sql/read_events.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hatchet_engine.domain.states import Status
from hatchet_engine.observe import run_query
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.run_query import Roles, RunQuery, Statement, containments
from hatchet_engine.observe.times import SAME_TURN_MS, exact_bounds, from_ms, to_ms

_SQL = statements("read_events")


@dataclass(slots=True, frozen=True)
class EventQuery:
    """Selects events. Empty sequences and None select all.

    ``since`` and ``until`` bound the time of being seen, both inclusive. All ``metadata`` pairs
    must match. ``workflow_ids`` and ``statuses`` select events with a run like that.
    """

    tenant_id: UUID
    since: datetime
    until: datetime | None = None
    keys: Sequence[str] = ()
    scopes: Sequence[str] = ()
    ids: Sequence[UUID] = ()
    metadata: Sequence[tuple[str, str]] = ()
    workflow_ids: Sequence[UUID] = ()
    statuses: Sequence[Status] = ()

    @property
    def by_runs(self) -> bool:
        return bool(self.workflow_ids or self.statuses)


def page(query: EventQuery, offset: int, limit: int) -> Statement:
    """Ids of one page, newest first; not for queries by runs."""
    builder = _Builder(query)
    text = _SQL["event_ids"].replace("{branch}", builder.branch(offset + limit))
    text = text.replace("{offset}", builder.bind(offset, "bigint"))
    return Statement(text.replace("{limit}", builder.bind(limit, "bigint")), builder.arguments)


def count(query: EventQuery, most: int) -> Statement:
    """How many there are, per key or scope at most ``most``; not for queries by runs."""
    builder = _Builder(query)
    return Statement(
        _SQL["event_count"].replace("{branch}", builder.branch(most)), builder.arguments
    )


def page_by_runs(
    query: EventQuery, offset: int, limit: int, most: int, roles: Roles | None
) -> Statement:
    """Ids of one page and the count among the newest ``most`` runs (of each status)."""
    text = _SQL["event_ids_of_runs"]
    lowest, after = exact_bounds(query.since, query.until)
    values: list[Any] = [lowest, after, offset, limit]
    conditions, more = _conditions(query, len(values))
    until = None if query.until is None else from_ms(to_ms(query.until) + SAME_TURN_MS)
    runs = RunQuery(
        tenant_id=query.tenant_id,
        since=query.since,
        until=until,
        statuses=query.statuses,
        workflow_ids=query.workflow_ids,
        triggered=True,
    )
    text = text.replace("{filters}", conditions)
    return run_query.within(runs, text, most, roles, *values, *more)


def _conditions(query: EventQuery, first: int) -> tuple[str, list[Any]]:
    """Text with marks {n} from ``first`` on, and the values that stand for them."""
    pieces: list[str] = []
    values: list[Any] = []

    def add(name: str, value: Any) -> None:
        pieces.append(_SQL[name].replace("{value}", f"{{{first + len(values)}}}"))
        values.append(value)

    if query.ids:
        add("event_filter_ids", list(query.ids))
    # One value as an equality, which lets the index deliver in order; a list can't.
    for name, wanted in (("key", query.keys), ("scope", query.scopes)):
        if len(wanted) == 1:
            add(f"event_filter_{name}", wanted[0])
        elif wanted:
            add(f"event_filter_{name}s", list(wanted))
    for key, value in query.metadata:
        add("event_filter_metadata", containments(key, value))
    return "\n".join(pieces), values


class _Builder:
    """Collects the text of a query together with its arguments."""

    def __init__(self, query: EventQuery) -> None:
        self._query = query
        self.arguments: list[Any] = [query.tenant_id, *exact_bounds(query.since, query.until)]
        conditions, values = _conditions(query, 0)
        for number, value in enumerate(values):
            conditions = conditions.replace(f"{{{number}}}", self.bind(value))
        self._conditions = conditions

    def bind(self, value: Any, type_name: str = "") -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}" + (f"::{type_name}" if type_name else "")

    def branch(self, most: int) -> str:
        query = self._query
        text = _SQL["event_branch"]
        if not query.ids and len(query.keys) != 1:
            for name, wanted in (("keys", query.keys), ("scopes", query.scopes)):
                if len(wanted) > 1:
                    text = _SQL[f"event_branch_{name}"]
                    text = text.replace("{values}", self.bind(list(dict.fromkeys(wanted))))
                    break
                if wanted:
                    break  # an equality is the better way in
        text = text.replace("{filters}", self._conditions)
        return text.replace("{most}", self.bind(most, "bigint"))
