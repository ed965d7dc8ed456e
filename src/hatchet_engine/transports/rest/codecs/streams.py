"""Chunks of a run's stream as JSON."""

from __future__ import annotations

from base64 import b64encode

from hatchet_engine.observe.times import from_ms
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.rest.schemas.streams import StreamChunk


def stream_chunk(chunk: Chunk, position: int) -> StreamChunk:
    shown = StreamChunk(
        position=position,
        task_external_id=str(chunk.task_id),
        retry_count=chunk.attempt,
        index=chunk.index,
        created_at=from_ms(chunk.at_ms),
        data=chunk.data.decode("utf-8", "replace"),
    )
    # What looks replaced may have been sent so, in which case the text is all there is to say.
    if "\ufffd" in shown.data and shown.data.encode() != chunk.data:
        shown.base64 = b64encode(chunk.data).decode()
    return shown
