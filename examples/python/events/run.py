"""Push events and look which runs they have started: `python run.py`, while worker.py runs."""

import time

from tasks import hatchet, notify

from hatchet import BulkPushEventWithMetadata

if __name__ == "__main__":
    large = hatchet.event.push("order:created", {"id": 1, "total": 120}, scope="shop-1")
    small = hatchet.event.push("order:created", {"id": 2, "total": 20}, scope="shop-1")
    other = hatchet.event.push("order:created", {"id": 3, "total": 500}, scope="shop-2")

    # Many events in one request.
    many = hatchet.event.bulk_push(
        [
            BulkPushEventWithMetadata(
                key="order:changed", payload={"id": number, "total": number}, scope="shop-1"
            )
            for number in range(95, 105)
        ]
    )

    for event in (large, small, other):
        started = hatchet.runs.list(triggering_event_external_id=event.event_id).rows
        print(f"{event.payload}: {len(started)} runs")
        for run in started:
            print("  ", notify.get_result(run.workflow_run_external_id).text)

    time.sleep(1)  # counts in lists follow a moment later
    stored = hatchet.event.list(event_ids=[event.event_id for event in many]).rows or []
    started_runs = sum(len(event.triggered_runs or []) for event in stored)
    print(f"{len(many)} events of a bulk started {started_runs} runs")
