"""A task and the worker that runs it.

Start a server with `hatchet server`, then this file: `python worker.py`.
"""

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()


class Name(BaseModel):
    name: str


class Greeting(BaseModel):
    text: str


@hatchet.task(retries=3)
async def greet(input: Name, ctx: Context) -> Greeting:
    ctx.log(f"greeting {input.name}")
    return Greeting(text=f"Hello, {input.name}!")


if __name__ == "__main__":
    hatchet.worker("greeter", workflows=[greet]).start()
