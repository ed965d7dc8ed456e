"""Deadlines of calls: parsed from ``grpc-timeout``, kept in slots of a few milliseconds."""

from __future__ import annotations

import asyncio
from typing import Protocol

SLOT_S = 0.005
TIMEOUT_MAX_S = 10 * 365 * 86_400.0  # later is never
_UNITS = {"H": 3_600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_DIGITS_MAX = 8


def parse_timeout(text: str) -> float | None:
    """Seconds; None when it is no timeout."""
    digits = text[:-1]
    unit = _UNITS.get(text[-1:])
    if unit is None or not (digits.isascii() and digits.isdigit()) or len(digits) > _DIGITS_MAX:
        return None
    return min(int(digits) * unit, TIMEOUT_MAX_S)


class Call(Protocol):
    def expired(self) -> None: ...


class Deadlines:
    """Most calls end before their deadline: coming and going costs a look-up, one timer serves
    all."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, set[Call]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_slot = 0

    def add(self, call: Call, timeout_s: float) -> int:
        """Returns what :meth:`discard` wants."""
        slot = int((self._loop.time() + timeout_s) / SLOT_S) + 1
        calls = self._slots.get(slot)
        if calls is not None:
            calls.add(call)
            return slot
        self._slots[slot] = {call}
        if self._timer is None or slot < self._timer_slot:
            self._set_timer(slot)
        return slot

    def discard(self, call: Call, slot: int) -> None:
        calls = self._slots.get(slot)
        if calls is not None:
            calls.discard(call)
            if not calls:
                del self._slots[slot]

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_slot = slot
        self._timer = self._loop.call_at(slot * SLOT_S, self._due)

    def _due(self) -> None:
        self._timer = None
        now_slot = int(self._loop.time() / SLOT_S)
        for slot in sorted(self._slots):
            if slot > max(now_slot, self._timer_slot):
                self._set_timer(slot)
                break
            for call in self._slots.pop(slot):
                call.expired()
