"""GetRunDetails (B14.4), and the selections of CancelTasks and ReplayTasks (B14.1, B14.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.states import Status
from hatchet_engine.observe.runs import RunDetails
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.transports.grpc.codecs.results import NO_ERROR_TEXT
from hatchet_engine.turn.commands import RunFilter
from hatchet_protocol.times import timestamp_ms
from hatchet_protocol.v1_workflows import (
    CancelTasksRequest,
    GetRunDetailsResponse,
    ReplayTasksRequest,
    TasksFilter,
)


class Selection(NamedTuple):
    ids: Sequence[UUID]
    filter: RunFilter | None


def run_details(details: RunDetails) -> GetRunDetailsResponse:
    answer = GetRunDetailsResponse(
        input=(details.input or "{}").encode(),
        status=int(details.status),
        done=details.done,
        additional_metadata=(details.metadata or "{}").encode(),
    )
    for task in details.tasks:
        one = answer.task_runs[task.task_name]
        one.external_id = str(task.task_id)
        one.readable_id = task.task_name
        one.status = int(task.status)
        if task.status is Status.FAILED:
            one.error = task.error or NO_ERROR_TEXT
        elif task.error is not None:
            one.error = task.error
        if task.output is not None:
            one.output = task.output.encode()
    return answer


def selection(request: CancelTasksRequest | ReplayTasksRequest, ids_max: int) -> Selection:
    """What to cancel or replay: ids or a filter, exactly one of them."""
    by_ids, by_filter = bool(request.external_ids), request.HasField("filter")
    if by_ids == by_filter:
        raise invalid("external_ids, filter: give exactly one of them", field="external_ids")
    if by_filter:
        return Selection((), _filter(request.filter))
    if len(request.external_ids) > ids_max:
        raise invalid(
            f"external_ids: {len(request.external_ids)} in one call, the limit is {ids_max}; "
            "split the call",
            field="external_ids",
        )
    return Selection([parse_id(text, "external_ids") for text in request.external_ids], None)


def _filter(wanted: TasksFilter) -> RunFilter:
    statuses = []
    for name in wanted.statuses:
        try:
            statuses.append(Status[name.upper()])
        except KeyError:
            names = ", ".join(Status.__members__)
            raise invalid(f"filter.statuses: {name!r} is none of {names}") from None
    metadata = []
    for pair in wanted.additional_metadata:
        key, colon, value = pair.partition(":")
        if not key or not colon:
            raise invalid(f"filter.additional_metadata: {pair!r} must look like key:value")
        metadata.append((key, value))
    return RunFilter(
        since_ms=timestamp_ms(wanted.since),
        until_ms=timestamp_ms(wanted.until) if wanted.HasField("until") else None,
        statuses=statuses,
        workflow_ids=[parse_id(text, "filter.workflow_ids") for text in wanted.workflow_ids],
        metadata=metadata,
    )
