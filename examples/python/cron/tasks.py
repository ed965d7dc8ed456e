"""A task that the clock starts: every two seconds, and by a second cron with another input."""

from pydantic import BaseModel

from hatchet import Context, Hatchet

hatchet = Hatchet()


class Report(BaseModel):
    kind: str = "nobody asked"


class Text(BaseModel):
    text: str


# Six fields begin with the second. Options stand before the fields: here a time zone, and that a
# run is left out while the one before goes on.
@hatchet.task(
    name="report",
    input_validator=Report,
    on_crons=["CRON_TZ=Europe/Berlin OVERLAP=SKIP */2 * * * * *"],
    cron_input=Report(kind="by the clock"),
)
async def report(input: Report, ctx: Context) -> Text:
    planned = ctx.additional_metadata.get("hatchet__cron_scheduled_at", "no time")
    print(f"report {input.kind}, planned for {planned}")
    return Text(text=f"report {input.kind}")
