"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import hatchet, order

if __name__ == "__main__":
    hatchet.worker("dag-worker", slots=10, workflows=[order]).start()
