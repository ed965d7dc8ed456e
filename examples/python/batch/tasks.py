"""A task whose function is called once for many runs: one request to a model for all of them."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from hatchet import Context, Hatchet
from hatchet.runnables.types import BatchMemberId

hatchet = Hatchet()


class Text(BaseModel):
    customer: str
    words: str


class Label(BaseModel):
    label: str
    together_with: int  # runs of the same batch


async def ask_model(texts: list[str]) -> list[str]:
    """As dear for one text as for a hundred."""
    await asyncio.sleep(0.2)
    return ["question" if text.endswith("?") else "statement" for text in texts]


# A batch goes to a worker when it holds 100 runs, or when its first one has waited for half a
# second. Runs of different customers never come together. A batch takes one slot.
@hatchet.batch_task(
    name="label",
    input_validator=Text,
    batch_max_size=100,
    batch_max_interval=timedelta(milliseconds=500),
    batch_group_key="input.customer",
)
async def label(inputs: dict[BatchMemberId, Text], ctx: Context) -> dict[BatchMemberId, Label]:
    labels = await ask_model([text.words for text in inputs.values()])
    # One result for each run, under the id of its input.
    return {
        member: Label(label=found, together_with=len(inputs))
        for member, found in zip(inputs, labels, strict=True)
    }


class Total(BaseModel):
    words: int


# One result for all runs of a batch.
@hatchet.batch_task(
    name="count-words",
    input_validator=Text,
    batch_max_size=3,
    batch_max_interval=timedelta(seconds=5),
    broadcast_output=True,
)
async def count_words(inputs: dict[BatchMemberId, Text], ctx: Context) -> Total:
    return Total(words=sum(len(text.words.split()) for text in inputs.values()))
