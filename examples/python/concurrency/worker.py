"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import ALL, hatchet

if __name__ == "__main__":
    hatchet.worker("concurrency-worker", slots=50, workflows=ALL).start()
