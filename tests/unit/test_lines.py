"""Lines in memory, at their bounds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.turn import lines
from hatchet_engine.turn.lines import Line, Lines, over_line, read_over_line, units_line
from hatchet_engine.turn.queues import Queued

TENANT = UUID(int=1)


def item(number: int, rank: int = -1) -> Queued:
    nothing: Any = None
    return Queued(UUID(int=number), TENANT, nothing, rank, 0, 0, 0, 0, 0)


def kept(line: Line) -> list[int]:
    return sorted(task_id.int for task_id in line.items)


def test_a_line_keeps_so_many_and_then_the_first_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 4)
    line = Lines().get("c1:a")
    for number in range(1, 5):
        line.add(item(number))
    assert line.complete
    line.add(item(5))
    assert (kept(line), line.depth, line.complete) == ([1, 2], 5, False)
    line.add(item(6))  # behind the edge
    assert kept(line) == [1, 2]


def test_all_lines_together_keep_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_ITEMS_MAX", 3)
    both = Lines()
    one, two = both.get("c1:a"), both.get("c1:b")
    for number in (1, 2, 3):
        one.add(item(number))
    two.add(item(4))
    assert (kept(two), two.depth, two.wants_reading) == ([], 1, True)
    one.remove(one.items[UUID(int=1)])
    three = both.get("c1:c")
    three.add(item(5))
    assert kept(three) == [5]


def test_rl_9_who_stands_before_whom() -> None:
    line = Lines().get(units_line(TENANT, "api"))
    assert not line.stands_before(item(5))
    line.add(item(5))
    fair = item(6)
    fair.round = 9  # of its queue; in a line nobody has one
    assert line.stands_before(fair)
    assert not line.stands_before(item(5))
    assert not line.stands_before(item(4))
    assert not line.stands_before(item(6, rank=-3))


def test_rl_9_of_what_is_not_read_one_may_stand_before_anybody() -> None:
    shelf = Lines()
    shelf.restore("r1:api", 3, 0)
    line = shelf.get("r1:api")
    assert line.stands_before(item(1))
    line.extend([item(2), item(3)], read_all=False)
    assert not line.stands_before(item(1))
    for task in list(line.items.values()):
        line.remove(task)
    assert not line.stands_before(item(3))  # it comes up to the edge
    assert line.stands_before(item(4))


@pytest.mark.parametrize("key", ["api", "a:b:c", ""])
def test_a_line_of_too_many_units_tells_what_it_is_for(key: str) -> None:
    assert read_over_line(over_line(TENANT, key, 12)) == (TENANT, key, 12)
    assert read_over_line(units_line(TENANT, key)) is None
