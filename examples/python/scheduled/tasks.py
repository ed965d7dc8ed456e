"""A task that is asked for now and runs later."""

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()


class Reminder(BaseModel):
    to: str


class Sent(BaseModel):
    text: str


@hatchet.task(name="remind", input_validator=Reminder)
async def remind(input: Reminder, ctx: Context) -> Sent:
    text = f"{input.to}, it is time"
    print(text)
    return Sent(text=text)
