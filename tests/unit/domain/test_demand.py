"""What tasks ask for, as stored and read back; and what limits belong to (CON-3)."""

from __future__ import annotations

from uuid import UUID

import pytest

from hatchet_engine.domain.definition import ConcurrencyRule
from hatchet_engine.domain.demand import Demand, Place, Units, read_demand, text_of
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.domain.scopes import scope_of

WORKFLOW, OTHER = UUID(int=1), UUID(int=2)
RULE = ConcurrencyRule("input.key")
SHARED = ConcurrencyRule("input.key", name="shared", tenant_scoped=True)


@pytest.mark.parametrize(
    "demand",
    [
        Demand(),
        Demand(worker_id=UUID(int=7)),
        Demand(places=(Place("", 1), Place('a:"\n', 2_147_483_647))),
        Demand(units=(Units("api", 0), Units("user:1", 9)), group="g"),
        Demand(labels={"gpu": DesiredLabel("a100", True, Comparator.EQUAL, 5)}),
    ],
)
def test_a_demand_is_read_back_as_it_was(demand: Demand) -> None:
    read = Demand.read(demand.text)
    for name in ("worker_id", "places", "units", "group"):
        assert getattr(read, name) == getattr(demand, name)
    assert (read.labels or {}) == (demand.labels or {})
    assert read.text == demand.text
    assert Demand.read(demand.text) is read


def test_no_demand_is_no_text() -> None:
    assert read_demand(None) is None
    assert text_of(None) is None


def test_con_3_a_limit_belongs_to_workflow_task_and_expression() -> None:
    first = scope_of(RULE, WORKFLOW, "t", 0)
    assert scope_of(ConcurrencyRule("input.key", 9, "CANCEL_NEWEST"), WORKFLOW, "t", 0) == first
    others = [
        scope_of(RULE, WORKFLOW, None, 0),
        scope_of(RULE, WORKFLOW, "u", 0),
        scope_of(RULE, OTHER, "t", 0),
        scope_of(RULE, WORKFLOW, "t", 1),
        scope_of(ConcurrencyRule("input.other"), WORKFLOW, "t", 0),
    ]
    assert len({first.text, *(other.text for other in others)}) == 6


def test_a_shared_limit_belongs_to_its_name() -> None:
    assert scope_of(SHARED, WORKFLOW, "t", 0) == scope_of(SHARED, OTHER, None, 1)
