"""Taken idempotency keys, as official SDKs recognise them: by the exact text, and by a message in
the details of the status (B13.3)."""

from __future__ import annotations

import structlog

from hatchet_engine.domain.errors import KeyCollision
from hatchet_engine.transports.http2.status import DETAILS_BYTES_MAX, GrpcError
from hatchet_protocol.status import Detail, Status
from hatchet_protocol.v1_workflows import (
    BulkTriggerIdempotencyCollisionError,
    IdempotencyCollisionError,
)

TYPE_URL = "type.googleapis.com/v1."
ID_BYTES = 38  # of one id as text, with its tag and length
COLLISION_BYTES = 2 * ID_BYTES + 3
STATUS_BYTES = 160  # of all that is around the ids

log = structlog.get_logger("hatchet.grpc")


def collision(error: KeyCollision) -> GrpcError:
    """For a call that creates one run."""
    (holder,) = error.holders.values()
    message = IdempotencyCollisionError(existing_run_external_id=str(holder))
    return _status(error, "IdempotencyCollisionError", message.SerializeToString())


def bulk_collision(error: KeyCollision) -> GrpcError:
    """For a call that creates many. Clients bound what they take as trailers, so of very many ids
    only the first are told, collisions before successes; the runs can be listed by REST."""
    room = DETAILS_BYTES_MAX - STATUS_BYTES
    holders = list(error.holders.items())[: room // COLLISION_BYTES]
    created = error.created[: (room - len(holders) * COLLISION_BYTES) // ID_BYTES]
    if len(holders) < len(error.holders) or len(created) < len(error.created):
        log.warning(
            "collisions_cut",
            collisions=len(error.holders),
            created=len(error.created),
            told=(len(holders), len(created)),
        )
    message = BulkTriggerIdempotencyCollisionError(
        successful_workflow_run_external_ids=map(str, created),
        collisions=[
            IdempotencyCollisionError(
                existing_run_external_id=str(holder),
                colliding_run_external_id=str(error.run_ids[at]),
            )
            for at, holder in holders
        ],
    )
    name = "BulkTriggerIdempotencyCollisionError"
    return _status(error, name, message.SerializeToString())


def _status(error: KeyCollision, name: str, value: bytes) -> GrpcError:
    code = int(error.code)
    detail = Detail(type_url=TYPE_URL + name, value=value)
    status = Status(code=code, message=error.message, details=[detail])
    return GrpcError(code, error.message, status.SerializeToString())
