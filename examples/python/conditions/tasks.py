"""A task that waits for an event, but not longer than ten seconds, and two ways to go on."""

from datetime import timedelta

from pydantic import BaseModel

from hatchet import (
    Context,
    Hatchet,
    ParentCondition,
    SleepCondition,
    UserEventCondition,
    or_,
)

hatchet = Hatchet()


class Letter(BaseModel):
    text: str


class Decision(BaseModel):
    approved: bool
    by: str


class Done(BaseModel):
    text: str


letter = hatchet.workflow(name="letter", input_validator=Letter)


@letter.task()
async def write(input: Letter, ctx: Context) -> Letter:
    return input


# Starts when someone has decided, or ten seconds after `write` has completed: what comes first.
@letter.task(
    parents=[write],
    wait_for=[
        or_(
            SleepCondition(timedelta(seconds=10)),
            UserEventCondition("letter:decided", expression="input.by != ''"),
        )
    ],
)
async def decide(input: Letter, ctx: Context) -> Decision:
    # `ctx.trigger_data` holds the data of what was met: here the payload of the event.
    event = ctx.trigger_data.get("letter:decided")
    if event is None:
        return Decision(approved=False, by="nobody")
    return Decision.model_validate(event)


# Of these two, one runs and one is skipped.
@letter.task(parents=[decide], skip_if=[ParentCondition(decide, "!output.approved")])
async def send(input: Letter, ctx: Context) -> Done:
    return Done(text=f"sent: {input.text}")


@letter.task(parents=[decide], skip_if=[ParentCondition(decide, "output.approved")])
async def shred(input: Letter, ctx: Context) -> Done:
    return Done(text=f"shredded: {input.text}")


@letter.task(parents=[decide, send, shred])
async def report(input: Letter, ctx: Context) -> Done:
    last = ctx.task_output(shred if ctx.was_skipped(send) else send)
    return Done(text=f"{last.text} (decided by {ctx.task_output(decide).by})")
