"""Make a cron besides the declared one, wait for its run, remove it: `python run.py`, while
worker.py runs."""

import time

from tasks import Report, hatchet, report

if __name__ == "__main__":
    declared = (hatchet.cron.list(workflow_name="report").rows or [])[0]
    print(f"declared: {declared.cron}")

    # A second cron of the same task, with a name and an input of its own.
    made = report.create_cron("often", "* * * * *", Report(kind="by hand"), priority=3)
    print(f"made: {made.name} {made.cron}")
    hatchet.cron.delete(made.metadata.id)

    # The declared one goes on meanwhile.
    while not (runs := report.list_runs()):
        time.sleep(0.2)
    print(f"result: {report.get_result(runs[-1].workflow_run_external_id).text}")
