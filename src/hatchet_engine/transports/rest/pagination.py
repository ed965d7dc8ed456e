"""The pagination object; how pages are counted differs by endpoint (and clients rely on it)."""

from __future__ import annotations

from hatchet_engine.transports.rest.schemas.common import PaginationResponse


def endless(offset: int, limit: int, total: int) -> PaginationResponse:
    """Runs: there is always a next page."""
    current = offset // limit + 1
    return PaginationResponse(
        current_page=current, next_page=current + 1, num_pages=_pages(total, limit)
    )


def ending(offset: int, limit: int, total: int) -> PaginationResponse:
    """Events: as runs, but the last page is its own next one."""
    current = offset // limit + 1
    following = current if total < offset + limit else current + 1
    return PaginationResponse(
        current_page=current, next_page=following, num_pages=_pages(total, limit)
    )


def from_zero(offset: int, limit: int, total: int) -> PaginationResponse:
    """Filters: the first page is number 0."""
    current = offset // limit
    return PaginationResponse(
        current_page=current, next_page=current + 1, num_pages=_pages(total, limit)
    )


def capped(offset: int, limit: int, total: int) -> PaginationResponse:
    """Workflows and workers: the last page is its own next one."""
    current = 1 + _pages(offset, limit)
    pages = _pages(total, limit)
    following = current if current == pages else current + 1
    return PaginationResponse(current_page=current, next_page=following, num_pages=pages)


def single() -> PaginationResponse:
    return PaginationResponse(current_page=1, num_pages=1)


def zeros() -> PaginationResponse:
    """Logs: paged by time instead."""
    return PaginationResponse(current_page=0, next_page=0, num_pages=0)


def _pages(rows: int, limit: int) -> int:
    return -(-rows // limit)


def empty() -> PaginationResponse:
    """Task events and timings come whole."""
    return PaginationResponse()
