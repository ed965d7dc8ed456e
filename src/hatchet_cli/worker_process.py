"""Run as a program by `hatchet dev`: start the workers that `MODULE:WORKERS` names.

`WORKERS` is a worker, a list of workers, or a function that returns either. Each worker gets a
process of its own, because `worker.start()` owns the main thread and its signals.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from hatchet_cli.processes import tie_to_parent


def load_workers(target: str) -> list[Any]:
    """The workers named by `MODULE:WORKERS`; raises `ValueError` that says what is wrong."""
    module_name, separator, attribute = target.partition(":")
    if not separator or not module_name or not attribute:
        raise ValueError(f"{target!r} must look like MODULE:WORKERS, for example app:worker")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"cannot import {module_name!r}: {error}. Is it a file in this directory?"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{module_name!r} has no {attribute!r}")
        found = getattr(found, part)
    if callable(found) and not hasattr(found, "start"):
        found = found()
    workers = list(found) if isinstance(found, Sequence) else [found]
    for worker in workers:
        if not callable(getattr(worker, "start", None)):
            raise ValueError(
                f"{target!r} gives a {type(worker).__name__}, which is no worker: "
                "make one with hatchet.worker(name, workflows=[...])"
            )
    if not workers:
        raise ValueError(f"{target!r} is an empty list of workers")
    return workers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hatchet_cli.worker_process")
    parser.add_argument("target", metavar="MODULE:WORKERS")
    parser.add_argument("--index", type=int, help="start only this one of the workers")
    options = parser.parse_args()
    tie_to_parent()
    sys.path.insert(0, "")
    try:
        workers = load_workers(options.target)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if options.index is not None:
        workers[options.index].start()
    elif len(workers) == 1:
        workers[0].start()
    else:
        sys.exit(_start_each(options.target, len(workers)))


def _start_each(target: str, count: int) -> int:
    """One process per worker; the first that ends takes the others with it."""
    children = [
        subprocess.Popen([sys.executable, "-m", __spec__.name, target, "--index", str(index)])
        for index in range(count)
    ]

    def pass_on(number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    code = children[0].wait()
    for child in children:
        child.terminate()
        code = code or child.wait()
    return code


if __name__ == "__main__":
    main()
