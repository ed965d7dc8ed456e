"""Log lines and stream chunks of user code (B15.2, B15.3)."""

from __future__ import annotations

import orjson

from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe.logs import LEVELS, LogLine
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_protocol.events import PutLogRequest
from hatchet_protocol.times import timestamp_ms

MESSAGE_CHARACTERS_MAX = 10_000
DEFAULT_LEVEL = "INFO"


def log_line(request: PutLogRequest, now_ms: int) -> LogLine:
    """Raises ``Refused`` naming the field. Old SDKs send neither level nor attempt."""
    message = request.message
    if not 1 <= len(message) <= MESSAGE_CHARACTERS_MAX:
        raise invalid(
            f"message: must be 1 to {MESSAGE_CHARACTERS_MAX} characters long, got {len(message)}",
            field="message",
        )
    level = request.level or DEFAULT_LEVEL
    if level not in LEVELS:
        raise invalid(
            f"level: must be one of {', '.join(LEVELS)}, got {level[:64]!r}", field="level"
        )
    metadata = request.metadata
    if metadata and metadata != "{}":
        try:
            orjson.loads(metadata)
        except orjson.JSONDecodeError as error:
            raise invalid(f"metadata: is not valid JSON: {error}", field="metadata") from None
    return LogLine(
        parse_id(request.task_run_external_id, "task_run_external_id"),
        request.task_retry_count,
        timestamp_ms(request.created_at) or now_ms,
        level,
        message,
        metadata,
    )
