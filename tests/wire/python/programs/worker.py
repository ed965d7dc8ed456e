"""A worker: worker.py NAME SET SLOTS."""

from __future__ import annotations

import os
import signal
import sys
import threading

from sets import SETS
from tasks import hatchet


def end_with_the_tests() -> None:
    """Our standard input ends when the tests do, however they end."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    name, tasks, slots = sys.argv[1:]
    threading.Thread(target=end_with_the_tests, daemon=True).start()
    labels = {"host": name} if tasks == "routed" else {}
    workflows = list(SETS[tasks].values())
    hatchet.worker(name, slots=int(slots), labels=labels, workflows=workflows).start()
