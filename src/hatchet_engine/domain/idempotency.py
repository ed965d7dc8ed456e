"""Idempotency keys: which runs of a workflow are the same one (ID-*)."""

from __future__ import annotations

import orjson

from hatchet_engine.domain.definition import IdempotencyConfig
from hatchet_engine.domain.expressions import IDEMPOTENCY_KEY, compile

TTL = "TTL"  # a key is taken for a time
STATUS = "STATUS"  # until its run has ended, and no longer than that time
METHODS = (TTL, STATUS)


def key_of(config: IdempotencyConfig, input: str, metadata: str | None) -> str:
    """The key of a run with this input and metadata, JSON object texts. Raises ``ExpressionError``
    or ``EvaluationError``, both ValueErrors, when there is none."""
    variables = {
        "input": orjson.loads(input),
        "additional_metadata": orjson.loads(metadata or "{}"),
    }
    return str(compile(config.expression, IDEMPOTENCY_KEY).evaluate(variables))
