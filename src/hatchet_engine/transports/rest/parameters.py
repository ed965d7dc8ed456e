"""Types of query parameters and body fields, and the checks they share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, Field

from hatchet_engine.domain.durations import parse_ms
from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe.times import LATEST_MS, from_ms

ROWS_MAX = 20_000  # of one page
OFFSET_MAX = 1_000_000
IDS_MAX = 10_000  # in one filter or body
PAIRS_MAX = 100  # of metadata or labels in one filter


def _utc(at: datetime) -> datetime:
    """In UTC; a time without zone is taken as UTC. Far times are clamped to what can be stored."""
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = from_ms(0 if at.year < 1970 else LATEST_MS)
    return min(max(at, from_ms(0)), from_ms(LATEST_MS))


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds the null character, which can't be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None
    return text


# Text of a body; texts of the address are checked by the middleware and are always valid Unicode.
Text = Annotated[str, AfterValidator(_storable)]
Instant = Annotated[datetime, AfterValidator(_utc)]
Offset = Annotated[int, Query(le=OFFSET_MAX, description="Rows to skip.")]
Limit = Annotated[int, Query(le=ROWS_MAX, description="Rows of the page; 0 or less: the default.")]
Attempt = Annotated[
    int | None, Query(ge=1, le=2_000_000_000, description="1 is the first attempt.")
]
Pairs = Annotated[
    list[str] | None,
    Query(max_length=PAIRS_MAX, description="key:value, split at the first colon."),
]
UuidList = Annotated[list[UUID] | None, Query(max_length=IDS_MAX)]
BodyIds = Annotated[list[UUID] | None, Field(max_length=IDS_MAX)]


def page_of(offset: int | None, limit: int | None, default: int) -> tuple[int, int]:
    """Offset and limit as used: negative offsets are 0, limits of 0 or less the default."""
    return max(offset or 0, 0), limit if limit is not None and limit > 0 else default


def duration_of(text: str, field: str) -> int:
    """Milliseconds of a duration text such as 90s; raises ``Refused`` naming the field."""
    try:
        return parse_ms(text)
    except ValueError as error:
        raise invalid(f"{field}: {error}", field=field.lower()) from None


def pairs_of(texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """``key:value`` texts as pairs; entries without a colon are ignored."""
    pairs = [text.split(":", 1) for text in texts or () if ":" in text]
    return [(key, value) for key, value in pairs]


def strict_pairs_of(texts: Sequence[str] | None, field: str) -> list[tuple[str, str]]:
    """``key:value`` texts as pairs; raises ``Refused`` for an entry without key, colon or value."""
    pairs = []
    for text in texts or ():
        key, colon, value = text.partition(":")
        if not (key and colon and value):
            raise invalid(f"{field}: {text!r} must look like key:value", field=field.lower())
        pairs.append((key, value))
    return pairs
