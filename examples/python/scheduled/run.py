"""Schedule runs, move one, delete one: `python run.py`, while worker.py runs."""

import time
from datetime import UTC, datetime, timedelta

from tasks import Reminder, hatchet, remind

if __name__ == "__main__":
    now = datetime.now(UTC)

    # From a program: at a time.
    version = remind.schedule(now + timedelta(seconds=1), Reminder(to="Ada"))
    print(f"scheduled: {len(version.scheduled_workflows)}")

    # By name; these can be moved and deleted.
    later = now + timedelta(hours=1)
    bob = hatchet.scheduled.create("remind", later, {"to": "Bob"}, {"team": "blue"})
    eve = hatchet.scheduled.create("remind", later, {"to": "Eve"}, {"team": "red"})
    hatchet.scheduled.update(bob.metadata.id, now + timedelta(seconds=2))
    hatchet.scheduled.delete(eve.metadata.id)

    waiting = hatchet.scheduled.list(additional_metadata={"team": "red"}).rows or []
    print(f"of the red team: {len(waiting)}")

    while len(runs := remind.list_runs()) < 2:
        time.sleep(0.2)
    for run in reversed(runs):
        print(remind.get_result(run.workflow_run_external_id).text)
