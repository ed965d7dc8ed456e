"""Registration of workers (B3.1)."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.registration import NAME
from hatchet_engine.transports.grpc.codecs.labels import worker_labels
from hatchet_engine.transports.grpc.codecs.texts import refuse_nul
from hatchet_engine.turn.commands import RegisterWorker
from hatchet_protocol.dispatcher import SDKS, RuntimeInfo, WorkerRegisterRequest


def registered_worker(tenant_id: UUID, request: WorkerRegisterRequest) -> RegisterWorker:
    """Raises ``Refused`` naming the field; name, actions and slots are checked by the engine."""
    for service in request.services:
        if not NAME.match(service):
            raise invalid(
                f"services: {service!r} may hold only letters, digits, dot, underscore and hyphen",
                field="services",
            )
    slots = dict(request.slot_config)
    if request.HasField("slots"):
        if slots:
            raise invalid("slots, slot_config: give only one of them", field="slots")
        slots = {"default": request.slots}
    labels = worker_labels(request.labels)
    runtime = _runtime(request.runtime_info) if request.HasField("runtime_info") else {}
    refuse_nul(labels, "labels")
    refuse_nul(runtime, "runtime_info")
    refuse_nul(list(slots), "slot_config")
    refuse_nul(list(request.actions), "actions")
    return RegisterWorker(
        tenant_id, request.worker_name, list(request.actions), slots, labels, runtime
    )


def _runtime(info: RuntimeInfo) -> dict[str, str]:
    try:
        language = SDKS(info.language).name
    except ValueError:
        language = SDKS.UNKNOWN.name
    found = {
        "sdk_version": info.sdk_version,
        "language": "" if language == SDKS.UNKNOWN.name else language,
        "language_version": info.language_version,
        "os": info.os,
        "extra": info.extra,
    }
    return {key: value for key, value in found.items() if value}
