from datetime import timedelta

from pydantic import BaseModel, ConfigDict

__all__ = ["DEFAULT_EVICTION_POLICY", "EvictionPolicy"]


class EvictionPolicy(BaseModel):
    """When a waiting durable task may leave its worker, to come back when the wait is over.

    `ttl`: after this time of waiting (None: never for that reason). With
    `allow_capacity_eviction`, also when durable slots run out; lower `priority` leaves first.
    """

    model_config = ConfigDict(frozen=True)

    ttl: timedelta | None
    allow_capacity_eviction: bool = True
    priority: int = 0


DEFAULT_EVICTION_POLICY = EvictionPolicy(ttl=timedelta(minutes=15))
