"""The first example: one task, with a typed input and a typed output."""

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()


class Person(BaseModel):
    name: str


class Greeting(BaseModel):
    text: str


@hatchet.task(name="greet", input_validator=Person)
async def greet(input: Person, ctx: Context) -> Greeting:
    return Greeting(text=f"Hello, {input.name}!")
