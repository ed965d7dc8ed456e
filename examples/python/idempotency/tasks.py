"""Two tasks that refuse to do the same work twice: by time, and while it is under way."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from hatchet import Context, Hatchet, StatusBasedIdempotencyConfig, TTLBasedIdempotencyConfig

hatchet = Hatchet()


class Order(BaseModel):
    id: str
    total: int


class Receipt(BaseModel):
    text: str


# The key is an expression over the input and the metadata. Within a day each order is charged once,
# however often somebody asks for it and whatever became of the first run.
@hatchet.task(
    name="charge",
    input_validator=Order,
    idempotency=TTLBasedIdempotencyConfig(key_expression="input.id", ttl=timedelta(days=1)),
)
async def charge(input: Order, ctx: Context) -> Receipt:
    return Receipt(text=f"{input.total} paid")


class Shop(BaseModel):
    name: str


# One at a time for each shop: the key is free again as soon as the run has ended, and at the latest
# after ten minutes.
@hatchet.task(
    name="rebuild-index",
    input_validator=Shop,
    idempotency=StatusBasedIdempotencyConfig(
        key_expression="input.name", fallback_ttl=timedelta(minutes=10)
    ),
)
async def rebuild_index(input: Shop, ctx: Context) -> Receipt:
    await asyncio.sleep(1)
    return Receipt(text="index rebuilt")
