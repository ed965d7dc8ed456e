"""Runs in the official SDK's environment: calls its feature clients against our server.

Arguments: a run, its workflow's id and name, a worker, all of which the test has made.
"""

import sys
from datetime import UTC, datetime, timedelta

from hatchet_sdk import Hatchet, Priority
from hatchet_sdk.clients.rest.models.v1_task_status import V1TaskStatus

run, workflow, name, worker = sys.argv[1:]
hatchet = Hatchet()
since = datetime(2025, 6, 15, tzinfo=UTC)
until = since + timedelta(days=1)

detail = hatchet.runs.get(run)
assert detail.run.status == V1TaskStatus.COMPLETED
assert hatchet.runs.get_result(run) == {"a": 1}
assert hatchet.runs.get_status(run) == V1TaskStatus.COMPLETED
assert hatchet.runs.get_task_run(run).output == {"a": 1}

window = {"since": since, "until": until}
rows = hatchet.runs.list(**window, additional_metadata={"k": "v"}, workflow_ids=[workflow]).rows
assert [row.metadata.id for row in rows] == [run]
assert rows[0].output == {"a": 1}
assert hatchet.runs.list(**window, statuses=[V1TaskStatus.FAILED], only_tasks=True).rows == []
assert [row.metadata.id for row in hatchet.runs.list_with_pagination(**window, limit=1)] == [run]
created = hatchet.runs.create(
    name, {"n": 1}, additional_metadata={"a": "b"}, priority=Priority.MEDIUM
)
assert created.run.metadata.id == run
hatchet.runs.cancel(run)
hatchet.runs.replay(run)
hatchet.runs.bulk_replay_by_filters_with_pagination(
    sleep_time=0, **window, statuses=[V1TaskStatus.COMPLETED]
)

[row] = hatchet.workflows.list(workflow_name=name).rows
assert row.metadata.id == workflow
assert hatchet.workflows.get(workflow).name == name
assert hatchet.workflows.get_version(workflow).order == 1

[row] = hatchet.workers.list().rows
assert row.metadata.id == worker
assert hatchet.workers.get(worker).registered_workflows[0].id == workflow
hatchet.workers.pause(worker)
hatchet.workers.unpause(worker)

[line] = hatchet.logs.list(run).rows
assert line.message == "hello"

counts = hatchet.metrics.get_task_metrics(**window)
assert counts.completed == 1
assert hatchet.metrics.get_queue_metrics() == {}
assert hatchet.metrics.get_task_stats() == {}
assert "hatchet_tenant_worker_slots" in hatchet.metrics.scrape_tenant_prometheus_metrics()

both = "input.n == 1 && additional_metadata.who == 'me' && payload.test == 'x'"
given = {"input": {"n": 1}, "additional_metadata": {"who": "me"}, "filter_payload": {"test": "x"}}
assert hatchet.cel.debug(both, **given).result.output is True
assert hatchet.cel.debug(both, **(given | {"input": {"n": 2}})).result.output is False
failure = hatchet.cel.debug("input.key", {"n": 1}).result
assert failure.status == "failure"
assert "no such key: key" in failure.error

hatchet.workflows.delete(workflow)
print("done")
