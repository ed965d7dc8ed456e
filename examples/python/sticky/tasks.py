"""Tasks that stay on one worker, because something in its memory or on its disk is there."""

from pydantic import BaseModel

from hatchet import Context, EmptyModel, Hatchet, StickyStrategy

hatchet = Hatchet()


class Place(BaseModel):
    worker: str


# SOFT: the same worker if it has room, else another one. HARD: only the same.
film = hatchet.workflow(name="film", sticky=StickyStrategy.HARD)


@film.task()
async def fetch(input: EmptyModel, ctx: Context) -> Place:
    return Place(worker=ctx.worker_id)


@film.task(parents=[fetch])
async def cut(input: EmptyModel, ctx: Context) -> Place:
    """Finds on disk what `fetch` has left there."""
    # A child may stay, too: its workflow has to be sticky.
    child = await preview.aio_run(sticky=True)
    assert child.worker == ctx.worker_id
    return Place(worker=ctx.worker_id)


@hatchet.task(name="preview", sticky=StickyStrategy.SOFT)
async def preview(input: EmptyModel, ctx: Context) -> Place:
    return Place(worker=ctx.worker_id)
