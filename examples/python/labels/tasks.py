"""Tasks that choose their worker by its labels."""

from pydantic import BaseModel

from hatchet import Context, DesiredWorkerLabel, Hatchet, WorkerLabelComparator

hatchet = Hatchet()


class Recording(BaseModel):
    minutes: int


class Transcript(BaseModel):
    made_on: str


# A must: without such a worker the task waits, and `hatchet why` says which label is missing.
@hatchet.task(
    name="transcribe",
    input_validator=Recording,
    desired_worker_labels=[
        DesiredWorkerLabel(
            key="memory",
            value=16,
            required=True,
            comparator=WorkerLabelComparator.GREATER_THAN_OR_EQUAL,
        )
    ],
)
async def transcribe(input: Recording, ctx: Context) -> Transcript:
    return Transcript(made_on=str(ctx.worker_labels["host"]))


# A preference: the worker near the archive if it has room, else any other.
@hatchet.task(
    name="store",
    input_validator=Recording,
    desired_worker_labels=[DesiredWorkerLabel(key="host", value="small", weight=10)],
)
async def store(input: Recording, ctx: Context) -> Transcript:
    return Transcript(made_on=str(ctx.worker_labels["host"]))
