"""A workflow of five tasks: two of them run side by side, and one only if something fails."""

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()


class Order(BaseModel):
    customer: str
    prices: list[int]


class Total(BaseModel):
    cents: int


class Discount(BaseModel):
    percent: int


class Invoice(BaseModel):
    text: str


order = hatchet.workflow(name="order", input_validator=Order)


@order.task()
async def add_up(input: Order, ctx: Context) -> Total:
    return Total(cents=sum(input.prices))


@order.task()
async def find_discount(input: Order, ctx: Context) -> Discount:
    return Discount(percent=10 if input.customer == "Ada" else 0)


# Runs when both parents have completed. `task_output` gives what they returned, with its type.
@order.task(parents=[add_up, find_discount])
async def write_invoice(input: Order, ctx: Context) -> Invoice:
    total, discount = ctx.task_output(add_up), ctx.task_output(find_discount)
    if total.cents == 0:
        raise ValueError("nothing was ordered")
    cents = total.cents * (100 - discount.percent) // 100
    return Invoice(text=f"{input.customer} pays {cents / 100:.2f}")


# Runs when all others have completed.
@order.on_success_task()
async def celebrate(input: Order, ctx: Context) -> None:
    print(f"an order of {input.customer} is through")


# Runs when a task has failed for good, after its retries.
@order.on_failure_task()
async def apologize(input: Order, ctx: Context) -> None:
    error = ctx.get_task_run_error(write_invoice)
    print(f"sorry, {input.customer}: {error.exc if error else 'something went wrong'}")
