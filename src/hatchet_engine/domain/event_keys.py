"""Which event keys a trigger names: ``*`` stands for any run of characters, all else for itself."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=10_000)
def _pattern(trigger: str) -> re.Pattern[str]:
    # Runs of stars mean the same as one, and would make the search slow.
    parts = re.split(r"\*+", trigger)
    return re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)


def matches(trigger: str, key: str) -> bool:
    """Whether an event of this key fires the trigger (E-9).

    >>> matches("order:*", "order:created"), matches("100%_*", "100 x"), matches("a", "a")
    (True, False, True)
    """
    if "*" not in trigger:
        return trigger == key
    return _pattern(trigger).fullmatch(key) is not None
