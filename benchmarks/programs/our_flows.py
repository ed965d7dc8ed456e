"""What the bench runs besides single tasks: DAGs, a parent with children, runs that events cause.

Every task in here does nothing, like those of `our_tasks`.
"""

from typing import Any

from our_tasks import counter, hatchet, noop

from hatchet import Context, EmptyModel, UserEventCondition

CHAIN_LENGTH = 100
CHILDREN = 1_000
TRIGGER_KEY = "bench:trigger"
WAKE_KEY = "bench:wake"
# Workflows whose runs wait for events that nobody pushes, each for a key of its own.
ASLEEP = 10


async def nothing(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    return {"done": True}


def _diamond() -> Any:
    """A first task, two that follow it, and one that follows both."""
    flow = hatchet.workflow(name="bench-diamond")
    top = flow.task(name="top")(nothing)
    left = flow.task(name="left", parents=[top])(nothing)
    right = flow.task(name="right", parents=[top])(nothing)
    flow.task(name="bottom", parents=[left, right])(nothing)
    return flow


def _chain() -> Any:
    """Tasks that follow each other."""
    flow = hatchet.workflow(name="bench-chain")
    parents: list[Any] = []
    for number in range(CHAIN_LENGTH):
        parents = [flow.task(name=f"step-{number}", parents=parents)(nothing)]
    return flow


def _waiting(name: str, key: str) -> Any:
    """One task that waits for an event with this key."""
    flow = hatchet.workflow(name=name)
    flow.task(name="waiting", wait_for=[UserEventCondition(key)])(nothing)
    return flow


@hatchet.task(name="bench-fan-out")
async def fan_out(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    """Start all children in bulk and wait for their results."""
    results = await noop.aio_run_many([noop.create_bulk_run_item() for _ in range(CHILDREN)])
    return {"done": len(results) == CHILDREN and all(result["done"] for result in results)}


@hatchet.task(name="bench-on-event", on_events=[TRIGGER_KEY])
async def on_event(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    counter.add()
    return {"done": True}


FLOWS = {
    flow.name: flow
    for flow in (
        _diamond(),
        _chain(),
        fan_out,
        on_event,
        _waiting("bench-woken", WAKE_KEY),
        *(_waiting(f"bench-asleep-{number}", f"bench:never-{number}") for number in range(ASLEEP)),
    )
}
