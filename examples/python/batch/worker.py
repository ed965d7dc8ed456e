"""The worker: runs the tasks until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import count_words, hatchet, label

if __name__ == "__main__":
    hatchet.worker("batch-worker", slots=10, workflows=[label, count_words]).start()
