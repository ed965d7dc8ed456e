"""Which numbers of a count have been seen, in little memory: as ranges, mostly a single one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

RANGES_MAX = 1_000


class IndexRanges:
    """A set of whole numbers that mostly come one after the other.

    Beyond ``RANGES_MAX`` ranges the two lowest are joined: what lies between counts as seen.

    >>> seen = IndexRanges([(0, 3), (5, 6)])  # from the first up to, but without, the second
    >>> 2 in seen, 4 in seen, seen.after(1), seen.end
    (True, False, 3, 6)
    >>> seen.add(6)
    >>> seen.end
    7
    """

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """``ranges``: in order, apart from each other."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self._starts.append(start)
            self._ends.append(end)

    @property
    def end(self) -> int:
        """Behind the highest number; 0 when there is none."""
        return self._ends[-1] if self._ends else 0

    def __contains__(self, index: int) -> bool:
        return self.after(index) != index

    def after(self, index: int) -> int:
        """The first number from ``index`` on that has not been seen."""
        at = bisect_right(self._starts, index) - 1
        return max(index, self._ends[at]) if at >= 0 else index

    def add(self, index: int) -> None:
        starts, ends = self._starts, self._ends
        if ends and ends[-1] == index:  # the usual case, and the only one that must be fast
            ends[-1] += 1
            return
        at = bisect_right(starts, index)
        if at and index < ends[at - 1]:
            return
        follows = at > 0 and ends[at - 1] == index
        precedes = at < len(starts) and starts[at] == index + 1
        if follows and precedes:
            ends[at - 1] = ends.pop(at)
            del starts[at]
        elif follows:
            ends[at - 1] += 1
        elif precedes:
            starts[at] = index
        else:
            starts.insert(at, index)
            ends.insert(at, index + 1)
            if len(starts) > RANGES_MAX:
                del starts[1], ends[0]
