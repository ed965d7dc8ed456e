"""SQL of reads with the pieces that several statements share put in place.

Pieces stand in ``store/sql/read_runs.sql`` like statements. ``{begun}``, ``{first wait}``,
``{task of x}``, ``{members of x}`` and ``{waiting of x}`` are the same in every use; all other
marks are filled in by who uses the statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from hatchet_engine.store.sql import load

_LOOK_UP = re.compile(r"\{(task|members|waiting) of ([^}]+)\}")


@cache
def statements(aggregate: str) -> Mapping[str, str]:
    """All statements of ``store/sql/<aggregate>.sql`` by name, complete but for their own marks.

    >>> "{begun}" in statements("read_runs")["run_status"]
    False
    """
    pieces = load("read_runs")
    begun, first_wait = pieces["run_begun_member"], pieces["run_first_wait"]

    def complete(text: str) -> str:
        text = _LOOK_UP.sub(lambda mark: pieces[f"run_{mark[1]}"].replace("{value}", mark[2]), text)
        return text.replace("{begun}", begun).replace("{first wait}", first_wait)

    return {name: complete(text) for name, text in load(aggregate).items()}
