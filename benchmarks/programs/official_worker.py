"""A worker of the official SDK with its default settings and one no-op task."""

from hatchet_sdk import Context, EmptyModel, Hatchet

hatchet = Hatchet()


@hatchet.task(name="bench-official")
async def official_noop(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    return {"done": True}


if __name__ == "__main__":
    hatchet.worker("bench-official", workflows=[official_noop]).start()
