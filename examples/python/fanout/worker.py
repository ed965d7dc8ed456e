"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import count_book, count_page, hatchet

if __name__ == "__main__":
    hatchet.worker("fanout-worker", slots=100, workflows=[count_book, count_page]).start()
