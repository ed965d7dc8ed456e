"""A task that events start: those of a kind, and of these only large orders of one shop."""

from pydantic import BaseModel

from hatchet import Context, DefaultFilter, Hatchet

hatchet = Hatchet()


class Order(BaseModel):
    id: int
    total: int


class Notice(BaseModel):
    text: str


# The payload of an event is the input of the run. A filter looks at events of its scope: the
# expression sees the payload as `input`, and its own data as `payload`.
@hatchet.task(
    name="notify",
    input_validator=Order,
    on_events=["order:*"],
    default_filters=[
        DefaultFilter(
            expression="input.total >= payload.at_least",
            scope="shop-1",
            payload={"at_least": 100},
        )
    ],
)
async def notify(input: Order, ctx: Context) -> Notice:
    limit = ctx.filter_payload["at_least"]
    text = f"order {input.id}: {input.total} is {limit} or more ({ctx.triggering_event_key})"
    print(text)
    return Notice(text=text)
