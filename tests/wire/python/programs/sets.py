"""Which worker runs what."""

from __future__ import annotations

from graphs import GRAPHS
from tasks import ALL, NARROW

SETS = {"all": {**ALL, **GRAPHS}, "narrow": NARROW}
TASKS = {**SETS["all"], **NARROW}
