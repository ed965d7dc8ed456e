"""A task that spawns a hundred others and adds up what they return."""

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()


class Page(BaseModel):
    number: int


class Words(BaseModel):
    count: int


class Book(BaseModel):
    pages: int


@hatchet.task(name="count-page", input_validator=Page)
async def count_page(input: Page, ctx: Context) -> Words:
    return Words(count=200 + input.number % 100)


@hatchet.task(name="count-book", input_validator=Book)
async def count_book(input: Book, ctx: Context) -> Words:
    # Runs that are started inside a task are its children. If this task is tried again, it finds
    # the same children, and those that have ended do not run twice.
    counted = await count_page.aio_run_many(
        [count_page.create_bulk_run_item(Page(number=n)) for n in range(input.pages)]
    )
    return Words(count=sum(words.count for words in counted))
