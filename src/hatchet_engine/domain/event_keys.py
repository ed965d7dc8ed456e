"""Which event keys a trigger names: ``*`` stands for any run of characters, all else for itself."""

from __future__ import annotations


def matches(trigger: str, key: str) -> bool:
    """Whether an event of this key fires the trigger (E-9).

    >>> matches("order:*", "order:created"), matches("100%_*", "100 x"), matches("a", "a")
    (True, False, True)
    """
    first, *rest = trigger.split("*")
    if not rest:
        return trigger == key
    # Each part taken where it comes first leaves the most room for the others, so there is nothing
    # to try again. A regular expression would, for hours with a few stars.
    *middle, last = rest
    end = len(key) - len(last)
    if len(first) > end or not key.startswith(first) or not key.endswith(last):
        return False
    at = len(first)
    for part in middle:
        found = key.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
