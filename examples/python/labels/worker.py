"""Two workers with different labels, each a process, until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

import multiprocessing

from tasks import hatchet, store, transcribe


def work(name: str, host: str, memory: int) -> None:
    labels = {"host": host, "memory": memory}
    hatchet.worker(name, slots=5, labels=labels, workflows=[transcribe, store]).start()


if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    spawn.Process(target=work, args=("labels-small", "small", 8)).start()
    work("labels-worker", "large", 64)
