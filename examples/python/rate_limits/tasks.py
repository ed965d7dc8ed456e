"""Tasks that use an API which allows so many calls per second: of all, and of each user."""

from pydantic import BaseModel

from hatchet import Context, Hatchet, RateLimit, RateLimitDuration

hatchet = Hatchet()

MAIL_API = "mail-api"


class Mail(BaseModel):
    to: str
    pages: int = 1


class Sent(BaseModel):
    to: str


# Static: a limit that is put by name, see run.py. All tasks that name it share it.
@hatchet.task(
    name="send", input_validator=Mail, rate_limits=[RateLimit(static_key=MAIL_API, units=1)]
)
async def send(input: Mail, ctx: Context) -> Sent:
    return Sent(to=input.to)


# Dynamic: a limit for each user, made when the first task asks for it. A fax of many pages takes
# many units.
@hatchet.task(
    name="fax",
    input_validator=Mail,
    rate_limits=[
        RateLimit(
            dynamic_key="'fax-' + input.to",
            units="input.pages",
            limit=4,
            duration=RateLimitDuration.SECOND,
        )
    ],
)
async def fax(input: Mail, ctx: Context) -> Sent:
    return Sent(to=input.to)
