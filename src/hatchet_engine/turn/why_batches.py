"""What a task waits for in the line of its batch group. Only looks at the hot state; the rules are
those of ``gather.py``."""

from __future__ import annotations

from hatchet_engine.domain.demand import Demand
from hatchet_engine.domain.why import Blocker, Kind, moment
from hatchet_engine.turn.batches import BatchGroup
from hatchet_engine.turn.state import Hot


def batch_blocker(hot: Hot | None, line: str, now_ms: int) -> Blocker | None:
    """None: a batch can be made as soon as a worker takes it."""
    group = hot.batches.find(line) if hot is not None else None
    if group is None:
        return Blocker(Kind.BATCH, "It waits until its batch is full, or old enough.")
    if group.full:
        return _full(group)
    return _young(group) if group.ripe(now_ms) is None else None


def first_demand(hot: Hot, line: str) -> Demand | None:
    """What the first of a batch line asks for: its batch goes where the first goes (BA-9)."""
    group = hot.batches.find(line)
    first = group.line.first() if group is not None else None
    return first.demand if first is not None else None


def _full(group: BatchGroup) -> Blocker:
    limit, used = group.config.group_max_runs, len(group.running)
    return Blocker(
        Kind.BATCH,
        f"As many batches of its group run as may: {used:,} of {limit:,}.",
        "Wait until one of them ends, or raise batch_group_max_runs.",
        limit=limit,
        used=used,
    )


def _young(group: BatchGroup) -> Blocker:
    depth, size = group.line.depth, group.config.max_size
    return Blocker(
        Kind.BATCH,
        f"Its batch has {depth:,} of {size:,} tasks; it is made when it is full, "
        f"at the latest at {moment(group.due_ms)}.",
        f"Wait until then, or start {size - depth:,} more of its group.",
        until_ms=group.due_ms,
        limit=size,
        used=depth,
    )
