"""Log lines as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from hatchet_engine.observe.log_lines import LogRow
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.responses import json_object
from hatchet_engine.transports.rest.schemas.logs import V1LogLine, V1LogLineLevel, V1LogLineList


def log_list(rows: Sequence[LogRow]) -> V1LogLineList:
    return V1LogLineList(pagination=pagination.zeros(), rows=[_line(row) for row in rows])


def _line(row: LogRow) -> V1LogLine:
    return V1LogLine(
        created_at=row.at,
        message=row.message,
        metadata=json_object(row.metadata),
        task_external_id=str(row.task_id),
        task_display_name=row.task_display_name,
        retry_count=row.attempt,
        attempt=row.attempt + 1,
        level=V1LogLineLevel(row.level),
    )
