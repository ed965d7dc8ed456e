"""Which worker runs what."""

from __future__ import annotations

from batches import BATCHES
from flows import FLOWS
from graphs import GRAPHS
from routed import ROUTED
from tasks import ALL, NARROW

SETS = {"all": {**ALL, **GRAPHS, **FLOWS, **BATCHES}, "narrow": NARROW, "routed": ROUTED}
TASKS = {**SETS["all"], **NARROW, **ROUTED}
