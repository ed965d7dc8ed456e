"""A process with one worker of our SDK, or many. Prints `ready` when all have joined."""

import argparse
import asyncio
from typing import Any

from our_tasks import counter, hatchet, noop, queued

CHECK_INTERVAL_S = 0.002


async def work(count: int, slots: int, workflows: list[Any]) -> None:
    """Run `count` workers of these workflows until the process is told to stop."""
    workers, running = [], []
    for number in range(count):
        worker = hatchet.worker(f"bench-{number}", slots=slots, workflows=workflows)
        task = asyncio.create_task(worker.aio_start())
        while not worker.registered.is_set():
            if task.done():
                await task
            await asyncio.sleep(CHECK_INTERVAL_S)
        workers.append(worker)
        running.append(task)
    print("ready", flush=True)
    # Each worker takes over the signals; the one that has them last tells the others.
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--count-to", type=int, default=0)
    parser.add_argument("--flows", action="store_true")
    parser.add_argument("--limits", action="store_true")
    options = parser.parse_args()
    counter.wanted = options.count_to
    workflows: list[Any] = [noop, queued]
    if options.flows:
        # Only here: they must not weigh on the scenarios that measure the start and the memory.
        from our_flows import FLOWS

        workflows += FLOWS.values()
    if options.limits:
        from our_limits import LIMITED

        workflows += LIMITED.values()
    asyncio.run(work(options.workers, options.slots, workflows))


if __name__ == "__main__":
    main()
