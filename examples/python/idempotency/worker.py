"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import charge, hatchet, rebuild_index

if __name__ == "__main__":
    hatchet.worker("idempotency-worker", slots=10, workflows=[charge, rebuild_index]).start()
