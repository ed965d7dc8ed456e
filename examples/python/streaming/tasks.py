"""A task that sends its text piece by piece, while it runs."""

import asyncio

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()

STORY = """Once upon a time there was a queue. It was long, and nobody knew who came next.
Then somebody wrote the order down, and everyone waited happily ever after.
"""


class Topic(BaseModel):
    name: str


class Length(BaseModel):
    characters: int


@hatchet.task(name="tell-story", input_validator=Topic)
async def tell_story(input: Topic, ctx: Context) -> Length:
    text = STORY.replace("queue", input.name)
    for word in text.split(" "):
        await ctx.aio_put_stream(word + " ")
        await asyncio.sleep(0.05)
    return Length(characters=len(text))
