"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import hatchet, letter

if __name__ == "__main__":
    hatchet.worker("conditions-worker", slots=10, workflows=[letter]).start()
