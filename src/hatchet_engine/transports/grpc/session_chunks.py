"""Stream chunks of a session's frames."""

from __future__ import annotations

from uuid import UUID

import structlog

from hatchet_engine.domain.errors import Refused
from hatchet_engine.transports.engine_api import StreamLane
from hatchet_engine.transports.grpc.codecs.ids import id_of_bytes
from hatchet_protocol import session

log = structlog.get_logger("hatchet.session")


async def put_chunks(lane: StreamLane, tenant_id: UUID, frame: session.ClientFrame) -> None:
    """Put all chunks of a frame, one after the other; waits while the lane is full.

    One that the lane refuses is left out and named in the log: streams never break a connection
    that carries results. Raises ``Refused`` for an id that is none: the frame is malformed then.
    """
    for chunk in frame.chunks:
        task_id = id_of_bytes(chunk.task_id, "chunks.task_id")
        try:
            await lane.put(tenant_id, task_id, chunk.data, chunk.index, chunk.attempt)
        except Refused as refused:
            log.warning("chunk_refused", task_id=str(task_id), reason=refused.message)
