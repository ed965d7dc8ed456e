"""What a run's tasks have streamed. Ours: the official API has no such thing."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from hatchet_engine.transports.rest.schemas.common import Schema, Uuid


class StreamChunk(Schema):
    position: int = Field(
        description="1 for the run's first chunk. Pass it as `after` to go on behind this one."
    )
    task_external_id: Uuid
    retry_count: int
    index: int | None = Field(None, description="The task's own count, 0 first, per attempt.")
    created_at: datetime
    data: str = Field(description="As text; bytes that are no UTF-8 are replaced.")
    base64: str | None = Field(None, description="The bytes, when they are no UTF-8 text.")


class StreamChunkList(Schema):
    rows: list[StreamChunk]
    next: int = Field(description="Pass it as `after` to get what follows.")
    ended: bool = Field(description="The run has ended, and nothing follows.")


class StreamEnd(Schema):
    """Data of the last server-sent event."""

    status: str
