"""A worker: worker.py NAME SET SLOTS."""

from __future__ import annotations

import sys

from tasks import SETS, hatchet

if __name__ == "__main__":
    name, tasks, slots = sys.argv[1:]
    hatchet.worker(name, slots=int(slots), workflows=list(SETS[tasks].values())).start()
