"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import fax, hatchet, send

if __name__ == "__main__":
    hatchet.worker("rate_limits-worker", slots=50, workflows=[send, fax]).start()
