"""Epoch milliseconds inside, timestamps at the table."""

from __future__ import annotations

from datetime import UTC, datetime


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)
