"""What expressions of a definition ask for (RL-1, 4.1): an expression wins over its default."""

from __future__ import annotations

from typing import Any

import pytest

from hatchet_engine.domain.definition import ConcurrencyRule, RateLimitUse
from hatchet_engine.domain.demand import Place, Units
from hatchet_engine.turn.asks import AskError, Rule, Use

VARIABLES: dict[str, Any] = {
    "input": {"user": "ann", "pages": 3},
    "additional_metadata": {},
    "workflow_run_id": "r",
}


def test_places() -> None:
    for max_runs_expression, most in ((None, 7), ("input.pages", 3), ("2 * 2", 4)):
        rule = ConcurrencyRule("input.user", 7, max_runs_expression=max_runs_expression)
        assert Rule(rule, 1, run=False).place(VARIABLES) == Place("ann", most)
    assert Rule(ConcurrencyRule("'all'"), 1, run=False).place({}) == Place("all", 1)
    none = Rule(ConcurrencyRule("'all'", 7, max_runs_expression="input.pages - 3"), 1, run=False)
    with pytest.raises(AskError, match="max_runs is 0"):
        none.place(VARIABLES)


def test_units() -> None:
    static = RateLimitUse("api", units=2, limit_expr="-1", duration="MINUTE")
    assert Use(static).ask(VARIABLES) == (Units("api", 2), None)
    dynamic = RateLimitUse(
        "input.user",
        key_expr="'fax-' + input.user",
        units_expr="input.pages",
        limit_expr="input.pages * 2",
        duration="SECOND",
    )
    assert Use(dynamic).ask(VARIABLES) == (Units("fax-ann", 3), ("fax-ann", 6, "SECOND"))
