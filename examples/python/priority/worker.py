"""The worker: prints one letter at a time, until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import hatchet, print_letter

if __name__ == "__main__":
    hatchet.worker("priority-worker", slots=1, workflows=[print_letter]).start()
