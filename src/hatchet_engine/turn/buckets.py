"""Rate limits in memory: how many units are left, and who waits for more."""

from __future__ import annotations

import heapq
from uuid import UUID

from hatchet_engine.domain.rates import Meter
from hatchet_engine.turn.lines import Line, Lines, over_line, units_line


class Bucket:
    """One key of a tenant.

    ``line``: those who wait for units. ``over``: by units, those who ask for more than the limit
    and wait for another limit. ``due_ms``: when it is looked at next; None: nobody waits.
    """

    __slots__ = ("_lines", "due_ms", "gone", "key", "line", "meter", "over", "tenant_id")

    def __init__(self, tenant_id: UUID, key: str, meter: Meter, lines: Lines) -> None:
        self.tenant_id = tenant_id
        self.key = key
        self.meter = meter
        self.line: Line = lines.get(units_line(tenant_id, key))
        self.over: dict[int, Line] = {}
        self._lines = lines
        self.due_ms: int | None = None
        self.gone = False  # deleted; only those who wait for it remember it

    @property
    def waited_for(self) -> bool:
        return bool(self.line.depth or self.over)

    def line_for(self, units: int) -> Line:
        """Where one stands who asks for so many units."""
        limit = self.meter.limit
        return self.line if limit is None or units <= limit else self.over_of(units)

    def over_of(self, units: int) -> Line:
        line = self.over.get(units)
        if line is None:
            line = self.over[units] = self._lines.get(over_line(self.tenant_id, self.key, units))
        return line

    def fitting(self) -> list[Line]:
        """Lines of those whose units the limit allows by now; empty lines are forgotten."""
        for units, line in list(self.over.items()):
            if line.depth == 0:
                del self.over[units]
                self._lines.forget(line)
        limit = self.meter.limit
        if limit is None:
            return []
        return [line for units, line in sorted(self.over.items()) if units <= limit]


class Buckets:
    """All rate limits of all tenants."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._by_key: dict[tuple[UUID, str], Bucket] = {}
        self._dues: list[tuple[int, int, Bucket]] = []
        self._count = 0

    def find(self, tenant_id: UUID, key: str) -> Bucket | None:
        return self._by_key.get((tenant_id, key))

    def get(self, tenant_id: UUID, key: str) -> Bucket:
        """The bucket of a key; a new one knows no limit."""
        bucket = self._by_key.get((tenant_id, key))
        if bucket is None:
            bucket = self.restore(tenant_id, key, Meter(None, "SECOND", 0, 0))
        return bucket

    def restore(self, tenant_id: UUID, key: str, meter: Meter) -> Bucket:
        bucket = Bucket(tenant_id, key, meter, self._lines)
        self._by_key[tenant_id, key] = bucket
        return bucket

    @property
    def next_ms(self) -> int | None:
        """When the first of them is to be looked at."""
        dues = self._dues
        while dues and dues[0][2].due_ms != dues[0][0]:
            heapq.heappop(dues)
        return dues[0][0] if dues else None

    def look_at(self, bucket: Bucket, due_ms: int | None) -> None:
        """Look at it again then; the earlier of two times counts."""
        if due_ms is None or (bucket.due_ms is not None and bucket.due_ms <= due_ms):
            return
        bucket.due_ms = due_ms
        self._count += 1
        heapq.heappush(self._dues, (due_ms, self._count, bucket))

    def take_due(self, now_ms: int, most: int) -> list[Bucket]:
        """Those whose time has come."""
        found: list[Bucket] = []
        while len(found) < most and (due_ms := self.next_ms) is not None and due_ms <= now_ms:
            bucket = heapq.heappop(self._dues)[2]
            bucket.due_ms = None
            found.append(bucket)
        return found
