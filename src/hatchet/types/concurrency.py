from enum import StrEnum

from pydantic import BaseModel, field_validator, model_validator

__all__ = ["ConcurrencyExpression", "ConcurrencyLimitStrategy"]

MAX_RUNS_MAX = 2**31 - 1  # what the protocol can carry


class ConcurrencyLimitStrategy(StrEnum):
    """What happens when a key has all its places taken.

    - GROUP_ROUND_ROBIN: newcomers wait; keys take turns
    - CANCEL_IN_PROGRESS: the newest run, those before it are cancelled
    - CANCEL_NEWEST: newcomers are cancelled
    - CANCEL_QUEUED_EXCEPT_NEWEST: one newcomer waits, the newest; the others are cancelled
    - CANCEL_QUEUED_EXCEPT_OLDEST: one newcomer waits, the oldest; the others are cancelled

    Higher priority counts more than age. QUEUE_NEWEST and QUEUE_OLDEST are names of the official
    SDK that no engine knows: they raise `ValueError` where they are used.
    """

    CANCEL_IN_PROGRESS = "CANCEL_IN_PROGRESS"
    GROUP_ROUND_ROBIN = "GROUP_ROUND_ROBIN"
    CANCEL_NEWEST = "CANCEL_NEWEST"
    QUEUE_NEWEST = "QUEUE_NEWEST"
    QUEUE_OLDEST = "QUEUE_OLDEST"
    CANCEL_QUEUED_EXCEPT_NEWEST = "CANCEL_QUEUED_EXCEPT_NEWEST"
    CANCEL_QUEUED_EXCEPT_OLDEST = "CANCEL_QUEUED_EXCEPT_OLDEST"


_UNKNOWN_TO_ENGINES = (
    ConcurrencyLimitStrategy.QUEUE_NEWEST,
    ConcurrencyLimitStrategy.QUEUE_OLDEST,
)


class ConcurrencyExpression(BaseModel):
    """How many runs (of a workflow) or tasks may be in flight at once under one key.

    - `expression`: CEL that gives the key, a text; it sees `input`, `additional_metadata` and
      `workflow_run_id`. A constant is quoted: `"'all'"`
    - `max_runs`: at least 1, or CEL that gives a number
    - `limit_strategy`: what happens to those who find all places taken
    - `name`, `is_tenant_scoped`: workflows whose rules have this name share the places

    In flight means: from getting the place to the end, including the wait for a worker. Raises
    `ValueError` (pydantic's `ValidationError`) naming the field.

        @hatchet.task(
            concurrency=ConcurrencyExpression(
                expression="input.user_id",
                max_runs=2,
                limit_strategy=ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN,
            )
        )
        async def render(input: Page, ctx: Context) -> Picture: ...
    """

    expression: str
    max_runs: int | str
    limit_strategy: ConcurrencyLimitStrategy
    name: str | None = None
    is_tenant_scoped: bool = False

    @field_validator("expression")
    @classmethod
    def _check_expression(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("expression must not be blank; for one key for all write \"'all'\"")
        return value

    @field_validator("max_runs")
    @classmethod
    def _check_max_runs(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 1 <= value <= MAX_RUNS_MAX:
            raise ValueError(f"max_runs must be 1 to {MAX_RUNS_MAX}, not {value}")
        if isinstance(value, str) and not value.strip():
            raise ValueError("max_runs as an expression must not be blank")
        return value

    @field_validator("limit_strategy")
    @classmethod
    def _check_strategy(cls, value: ConcurrencyLimitStrategy) -> ConcurrencyLimitStrategy:
        if value in _UNKNOWN_TO_ENGINES:
            raise ValueError(
                f"limit_strategy {value} is known to no engine: use GROUP_ROUND_ROBIN to let all "
                "wait, CANCEL_QUEUED_EXCEPT_NEWEST or ..._OLDEST to let one wait"
            )
        return value

    @model_validator(mode="after")
    def _check_name(self) -> "ConcurrencyExpression":
        if self.is_tenant_scoped and not (self.name or "").strip():
            raise ValueError("name: a tenant-scoped rule needs one, which workflows share it by")
        return self

    @staticmethod
    def from_int(max_runs: int) -> "ConcurrencyExpression":
        """At most so many at once, the others wait; what `concurrency=5` means."""
        return ConcurrencyExpression(
            expression="'constant'",
            max_runs=max_runs,
            limit_strategy=ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN,
        )
