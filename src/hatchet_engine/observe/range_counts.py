"""Runs counted by status, per range of time, without looking at each of them.

Ids tell the time, so a range of time is one of ids. That is right to the millisecond for all runs
but the last of very large turns: past 262,144 ids of one millisecond, an id tells the next one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import Status
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.roles import roles_of
from hatchet_engine.observe.run_query import Statement

_SQL = statements("read_metrics")
_VERSIONS, _WORKFLOW, _BEGUN = (
    re.compile(rf"\{{{mark} of (\w)\}}") for mark in ("versions", "workflow", "begun by step")
)


async def range_counts(
    pool: asyncpg.Pool, tenant_id: UUID, bounds: Sequence[UUID], workflow_ids: Sequence[UUID] = ()
) -> list[dict[Status, int]]:
    """One dict per range, every status present. ``bounds`` ascend; each range goes from one of
    them to the next, which it leaves out. Without ``workflow_ids`` all workflows count."""
    asked = await statement(pool, tenant_id, bounds, workflow_ids)
    records = await pool.fetch(asked.text, *asked.arguments)
    counts = [dict.fromkeys(Status, 0) for _ in bounds[1:]]
    for record in records:
        found = counts[record["number"] - 1]
        if record["status"] is None:
            found[Status.COMPLETED] += record["runs"]
        else:
            found[Status(record["status"])] = record["runs"]
            found[Status.COMPLETED] -= record["runs"]
    return counts


async def statement(
    pool: asyncpg.Pool, tenant_id: UUID, bounds: Sequence[UUID], workflow_ids: Sequence[UUID] = ()
) -> Statement:
    """What :func:`range_counts` asks."""
    roles = await roles_of(pool, tenant_id)
    workflows = list(workflow_ids)
    if not workflows:
        workflows = [row["id"] for row in await pool.fetch(_SQL["workflow_ids"], tenant_id)]
    arguments: list[Any] = [tenant_id, list(bounds), bounds[0], bounds[-1], workflows]
    arguments += [*_columns(roles.roots), *_columns(roles.open)]
    return Statement(_text(chosen=bool(workflow_ids)), arguments)


def _text(*, chosen: bool) -> str:
    """``chosen``: of some workflows, so that all that is found has to be compared with them."""
    text = _BEGUN.sub(lambda mark: _piece("begun", mark[1]), _SQL["range_counts"])
    if not chosen:
        return _WORKFLOW.sub("", _VERSIONS.sub("", text))
    text = _VERSIONS.sub(lambda mark: _piece("versions", mark[1]), text)
    return _WORKFLOW.sub(lambda mark: _piece("workflow", mark[1]), text)


def _piece(name: str, alias: str) -> str:
    return _SQL[f"range_counts_{name}"].replace("{value}", alias)


def _columns(pairs: Sequence[tuple[UUID, int]]) -> tuple[list[UUID], list[int]]:
    return [version for version, _ in pairs], [step for _, step in pairs]
