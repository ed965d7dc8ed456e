"""Checks the concurrency rules of a workflow definition (CON-*)."""

from __future__ import annotations

from collections.abc import Iterator

from hatchet_engine.domain.concurrency import Strategy
from hatchet_engine.domain.definition import ConcurrencyRule, WorkflowDefinition
from hatchet_engine.domain.errors import Refused, invalid

RULE_NAME_LENGTH_MAX = 255
STRATEGIES = tuple(strategy.value for strategy in Strategy)


def check_concurrency(definition: WorkflowDefinition) -> None:
    """Raises ``Refused`` naming the place and the remedy."""
    for where, rule in _rules(definition):
        _check_rule(rule, where)
    _check_shared(definition)


def _rules(definition: WorkflowDefinition) -> Iterator[tuple[str, ConcurrencyRule]]:
    for rule in definition.concurrency:
        yield "concurrency", rule
    for task in definition.tasks:
        for rule in task.concurrency:
            yield f"task {task.name!r}: concurrency", rule


def _check_rule(rule: ConcurrencyRule, where: str) -> None:
    if not rule.expression:
        raise _refused(f"{where}: expression is required")
    if rule.strategy not in STRATEGIES:
        offered = ", ".join(STRATEGIES)
        raise _refused(f"{where}: strategy {rule.strategy} is not offered; use one of {offered}")
    if rule.max_runs < 1:
        raise _refused(f"{where}: max_runs must be at least 1")
    if rule.tenant_scoped and not rule.name:
        raise _refused(f"{where}: a limit that workflows of the tenant share needs a name")
    if rule.name is not None and len(rule.name) > RULE_NAME_LENGTH_MAX:
        raise _refused(
            f"{where}: name is {len(rule.name)} characters long, the limit is "
            f"{RULE_NAME_LENGTH_MAX}"
        )


def _check_shared(definition: WorkflowDefinition) -> None:
    """Rules of one name are one limit: they must not contradict each other, and a run that holds a
    place must not have a task that waits for one."""
    first: dict[str | None, tuple[str, ConcurrencyRule]] = {}
    for where, rule in _rules(definition):
        if not rule.tenant_scoped:
            continue
        known_where, known = first.setdefault(rule.name, (where, rule))
        field = differing(known, rule)
        if field is not None:
            raise _refused(
                f"{where}: the shared limit {rule.name!r} has {field} {getattr(rule, field)} here "
                f"and {getattr(known, field)} in {known_where}; give it the same everywhere, or "
                "another name"
            )
        # The rule of a workflow of one task becomes one of its task: it asks for one place.
        if known_where == "concurrency" != where and len(definition.tasks) > 1:
            raise _refused(
                f"{where}: the workflow itself takes a place of the shared limit {rule.name!r}, "
                "and its run would wait for itself; keep the rule in one of the two places"
            )


def shared_rules(definition: WorkflowDefinition) -> dict[str | None, ConcurrencyRule]:
    """The limits that it shares with other workflows, by name."""
    return {rule.name: rule for _, rule in _rules(definition) if rule.tenant_scoped}


def differing(one: ConcurrencyRule, other: ConcurrencyRule) -> str | None:
    """The first field in which two rules of one shared limit contradict each other."""
    for field in ("strategy", "max_runs", "max_runs_expression"):
        if getattr(one, field) != getattr(other, field):
            return field
    return None


def _refused(message: str) -> Refused:
    return invalid(message, field="concurrency")
