"""Two workers, each a process, until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

import multiprocessing

from tasks import film, hatchet, preview


def work(name: str) -> None:
    hatchet.worker(name, slots=20, workflows=[film, preview]).start()


if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    spawn.Process(target=work, args=("sticky-second",)).start()
    work("sticky-worker")
