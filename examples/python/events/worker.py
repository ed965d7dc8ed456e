"""The worker: runs the task until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import hatchet, notify

if __name__ == "__main__":
    hatchet.worker("events-worker", slots=10, workflows=[notify]).start()
