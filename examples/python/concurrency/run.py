"""Start more runs than may run, by each strategy: `python run.py`, while worker.py runs."""

import time
from typing import Any

from tasks import Done, Job, backup, export, hatchet, publish, render, search

ENDED = ("COMPLETED", "CANCELLED", "FAILED")


def most_at_once(pages: list[Done]) -> int:
    """How many of these ran at the same time at most."""
    return max(sum(one.began <= page.began < one.ended for one in pages) for page in pages)


def ends(task: Any) -> str:
    """How four runs of one user end, started one right after the other."""
    runs = [task.run(Job(user="ann", number=n), wait_for_result=False) for n in range(4)]
    statuses = []
    for run in runs:
        while (status := hatchet.runs.get_status(run.workflow_run_id).value) not in ENDED:
            time.sleep(0.1)
        statuses.append(status.lower())
    return ", ".join(statuses)


if __name__ == "__main__":
    jobs = [Job(user=user, number=n) for user in ("ann", "bob") for n in range(4)]
    pages = render.run_many([render.create_bulk_run_item(job) for job in jobs])
    for user in ("ann", "bob"):
        mine = [page for page in pages if page.user == user]
        print(f"render: {len(mine)} pages of {user}, {most_at_once(mine)} at once")

    for task, name in (
        (search, "search"),
        (backup, "backup"),
        (publish, "publish"),
        (export, "export"),
    ):
        print(f"{name}: {ends(task)}")
