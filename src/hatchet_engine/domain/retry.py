"""When a failed attempt is followed by another one (RT-*)."""

from __future__ import annotations

INTERNAL_RETRIES_MAX = (
    10  # lost workers and failed deliveries, not counted against the user (RT-14)
)


def backoff_ms(factor: float | None, max_s: int | None, retry: int) -> int:
    """Delay before the user's retry number ``retry`` (1, 2, ...), milliseconds (RT-3, RT-4).

    >>> [backoff_ms(2, 10, k) for k in (1, 2, 3, 4, 5)]
    [2000, 4000, 8000, 10000, 10000]
    """
    if factor is None:
        return 0
    longest = (max_s or 86_400) * 1_000
    try:
        return min(longest, int(factor**retry * 1_000))
    except OverflowError:
        return longest


def may_retry(retries: int, app_retries: int, should_not_retry: bool) -> bool:
    """Whether a user failure is followed by another attempt (RT-1, RT-8)."""
    return not should_not_retry and app_retries < retries
