"""Expressions in CEL, the Common Expression Language: conditions, filters, keys and numbers.

``compile(text, CONDITION).evaluate({"input": {...}, "output": {...}})`` gives a bool. Both errors
are ValueErrors with messages for users.
"""

from hatchet_engine.domain.expressions.compiling import (
    compile,
    evaluate_condition,
    evaluate_filter,
)
from hatchet_engine.domain.expressions.environments import (
    BATCH_KEY,
    CONCURRENCY_KEY,
    CONDITION,
    CONSTANT,
    FILTER,
    IDEMPOTENCY_KEY,
    MAX_RUNS,
    RATE_LIMIT_KEY,
    RATE_LIMIT_UNITS,
    RUN_CONCURRENCY_KEY,
    RUN_MAX_RUNS,
    WEBHOOK_KEY,
    Environment,
)
from hatchet_engine.domain.expressions.errors import EvaluationError, ExpressionError
from hatchet_engine.domain.expressions.program import Program

__all__ = [
    "BATCH_KEY",
    "CONCURRENCY_KEY",
    "CONDITION",
    "CONSTANT",
    "FILTER",
    "IDEMPOTENCY_KEY",
    "MAX_RUNS",
    "RATE_LIMIT_KEY",
    "RATE_LIMIT_UNITS",
    "RUN_CONCURRENCY_KEY",
    "RUN_MAX_RUNS",
    "WEBHOOK_KEY",
    "Environment",
    "EvaluationError",
    "ExpressionError",
    "Program",
    "compile",
    "evaluate_condition",
    "evaluate_filter",
]
