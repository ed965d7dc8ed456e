"""Budgets for frames that cost the server more than they cost the client."""

from __future__ import annotations

from collections.abc import Callable

from hatchet_engine.transports.http2.errors import ConnectionFailed, ErrorCode


class Budget:
    """So many at once, refilled at a steady rate; overdrawing it ends the connection."""

    __slots__ = ("_burst", "_left", "_name", "_now_s", "_per_s", "_refilled_s")

    def __init__(self, name: str, burst: int, per_s: int, now_s: Callable[[], float]) -> None:
        self._name = name
        self._burst = burst
        self._per_s = per_s
        self._now_s = now_s
        self._left = float(burst)
        self._refilled_s = now_s()

    def spend(self) -> None:
        self._left -= 1
        if self._left >= 0:
            return
        now_s = self._now_s()
        earned = (now_s - self._refilled_s) * self._per_s
        self._refilled_s = now_s
        self._left = min(self._burst, self._left + earned)
        if self._left < 0:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, f"too many {self._name}")
