"""SQL of reads with the pieces that several statements share put in place.

Pieces stand in ``store/sql/read_runs.sql`` like statements. ``{begun}`` and ``{waiting of x}`` are
the same in every use; all other marks are filled in by who uses the statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from hatchet_engine.store.sql import load

_WAITING = re.compile(r"\{waiting of ([\w.]+)\}")


@cache
def statements(aggregate: str) -> Mapping[str, str]:
    """All statements of ``store/sql/<aggregate>.sql`` by name, complete but for their own marks.

    >>> "{begun}" in statements("read_runs")["run_status"]
    False
    """
    pieces = load("read_runs")
    begun, waiting = pieces["run_begun_member"], pieces["run_waiting"]

    def complete(text: str) -> str:
        text = _WAITING.sub(lambda found: waiting.replace("{run}", found[1]), text)
        return text.replace("{begun}", begun)

    return {name: complete(text) for name, text in load(aggregate).items()}
