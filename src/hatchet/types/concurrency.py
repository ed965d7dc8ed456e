from enum import StrEnum

from pydantic import BaseModel, field_validator, model_validator

__all__ = ["ConcurrencyExpression", "ConcurrencyLimitStrategy"]


class ConcurrencyLimitStrategy(StrEnum):
    """What happens to a run when its group is full."""

    CANCEL_IN_PROGRESS = "CANCEL_IN_PROGRESS"
    GROUP_ROUND_ROBIN = "GROUP_ROUND_ROBIN"
    CANCEL_NEWEST = "CANCEL_NEWEST"
    QUEUE_NEWEST = "QUEUE_NEWEST"
    QUEUE_OLDEST = "QUEUE_OLDEST"
    CANCEL_QUEUED_EXCEPT_NEWEST = "CANCEL_QUEUED_EXCEPT_NEWEST"
    CANCEL_QUEUED_EXCEPT_OLDEST = "CANCEL_QUEUED_EXCEPT_OLDEST"


class ConcurrencyExpression(BaseModel):
    """A limit of runs at the same time, counted for each value of a CEL expression.

    `max_runs` is a number, or a CEL expression over the input. `is_tenant_scoped` shares the
    group, under its `name`, with other workflows.

        ConcurrencyExpression(
            expression="input.user_id",
            max_runs=2,
            limit_strategy=ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN,
        )
    """

    expression: str
    max_runs: int | str
    limit_strategy: ConcurrencyLimitStrategy
    name: str | None = None
    is_tenant_scoped: bool = False

    @field_validator("max_runs")
    @classmethod
    def _check_max_runs(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value <= 0:
            raise ValueError("max_runs must be at least 1")
        if isinstance(value, str) and not value.strip():
            raise ValueError("max_runs as an expression must not be blank")
        return value

    @model_validator(mode="after")
    def _check_name(self) -> "ConcurrencyExpression":
        if self.is_tenant_scoped and not (self.name or "").strip():
            raise ValueError("a tenant-scoped concurrency group needs a name")
        return self

    @staticmethod
    def from_int(max_runs: int) -> "ConcurrencyExpression":
        """One group for all runs, served in turn."""
        return ConcurrencyExpression(
            expression="'constant'",
            max_runs=max_runs,
            limit_strategy=ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN,
        )
