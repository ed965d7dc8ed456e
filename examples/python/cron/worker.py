"""The worker: runs the task until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import hatchet, report

if __name__ == "__main__":
    hatchet.worker("cron-worker", slots=10, workflows=[report]).start()
