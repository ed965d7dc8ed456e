"""The worker: runs the task until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import greet, hatchet

if __name__ == "__main__":
    hatchet.worker("first-worker", slots=100, workflows=[greet]).start()
