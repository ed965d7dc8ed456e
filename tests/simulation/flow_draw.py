"""Random workflows with concurrency rules and rate limits, and what their tasks ask for.

The expressions are few, so that what they give is worked out here without the engine's language.
"""

from __future__ import annotations

import random
from typing import Any

from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    RateLimitUse,
    TaskDefinition,
    WorkflowDefinition,
)
from tests.simulation.draw import draw_task

SINGLE = ("a", "b", "c")
SEVERAL = ("d",)
NAMES = SINGLE + SEVERAL
MEMBERS_MAX = 3
BATCHED_SHARE = 0.2  # of workflows of one task
STATIC_KEYS = ("r1", "r2")
WINDOWS_MS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000}
STRATEGIES = (
    "GROUP_ROUND_ROBIN",
    "CANCEL_IN_PROGRESS",
    "CANCEL_NEWEST",
    "CANCEL_QUEUED_EXCEPT_NEWEST",
    "CANCEL_QUEUED_EXCEPT_OLDEST",
)
SHARED = "shared"  # the name of a limit of the whole tenant

Input = dict[str, Any]


def actions_of(name: str) -> list[str]:
    if name in SINGLE:
        return [f"{name}:{name}"]
    return [f"{name}:{name}{at}" for at in range(MEMBERS_MAX)]


def draw_input(draw: random.Random) -> Input:
    return {
        "a": draw.choice("xxyz"),
        "b": draw.choice("pq"),
        "most": draw.choice((1, 1, 2, 3)),
        "units": draw.choice((0, 1, 1, 2, 5)),
        "limit": draw.choice((2, 3, 4)),
    }


def draw_workflow(
    draw: random.Random, name: str, strategies: tuple[str, ...]
) -> WorkflowDefinition:
    if name in SINGLE:
        task = _task(draw, name, name)
        if draw.random() < BATCHED_SHARE:
            task.batch, task.rate_limits = _batch(draw), []
        task.concurrency = _rules(draw, strategies, draw.choice((0, 1, 1, 2, 3)))
        return WorkflowDefinition(name, tasks=[task])
    tasks = [_task(draw, name, f"{name}{at}") for at in range(draw.randint(2, MEMBERS_MAX))]
    for at, task in enumerate(tasks):
        before = [one.name for one in tasks[:at]]
        task.parents = draw.sample(before, min(len(before), draw.choice((0, 1, 1, 2))))
        task.concurrency = _rules(draw, strategies, draw.choice((0, 0, 1)))
    _agree([rule for task in tasks for rule in task.concurrency if rule.tenant_scoped])
    rules = _rules(draw, strategies, draw.choice((0, 1, 1, 2)), shared=False)
    return WorkflowDefinition(name, tasks=tasks, concurrency=rules)


def _task(draw: random.Random, workflow: str, name: str) -> TaskDefinition:
    task = draw_task(draw, workflow, name)
    task.rate_limits = _uses(draw)
    return task


def _batch(draw: random.Random) -> BatchConfig:
    return BatchConfig(
        draw.choice((2, 3)),
        draw.choice((200, 5_000)),
        draw.choice((None, "input.a")),
        draw.choice((1, 2)),
    )


def _rules(
    draw: random.Random, strategies: tuple[str, ...], count: int, *, shared: bool = True
) -> list[ConcurrencyRule]:
    rules = []
    for _ in range(count):
        dynamic = draw.random() < 0.2
        rule = ConcurrencyRule(
            draw.choice(("input.a", "input.a", "input.b", "'all'")),
            draw.choice((1, 1, 2, 3)),
            draw.choice(strategies),
            max_runs_expression="int(input.most)" if dynamic else None,
        )
        if shared and draw.random() < 0.15:
            rule.name, rule.tenant_scoped, shared = SHARED, True, False
        rules.append(rule)
    return rules


def _agree(shared: list[ConcurrencyRule]) -> None:
    """Within a workflow the rules of one shared limit are the same but for the key."""
    for rule in shared[1:]:
        rule.strategy, rule.max_runs = shared[0].strategy, shared[0].max_runs
        rule.max_runs_expression = shared[0].max_runs_expression


def _uses(draw: random.Random) -> list[RateLimitUse]:
    uses = []
    for _ in range(draw.choice((0, 0, 1, 1, 2, 3))):
        if draw.random() < 0.5:
            uses.append(RateLimitUse(draw.choice(STATIC_KEYS), draw.choice((1, 1, 2))))
        else:
            units = draw.choice((None, "input.units"))
            limit = draw.choice(("3", "3", "input.limit"))
            window = draw.choice(list(WINDOWS_MS))
            one = None if units else 1
            uses.append(RateLimitUse("dynamic", one, "'d-' + input.a", units, limit, window))
    return uses


def key_of(rule: ConcurrencyRule, input: Input) -> str:
    return {"input.a": input["a"], "input.b": input["b"], "'all'": "all"}[rule.expression]


def most_of(rule: ConcurrencyRule, input: Input) -> int:
    return input["most"] if rule.max_runs_expression else rule.max_runs


def units_of(task: TaskDefinition, input: Input) -> dict[str, int]:
    """Units that an attempt takes, by key."""
    found: dict[str, int] = {}
    for use in task.rate_limits:
        key = f"d-{input['a']}" if use.key_expr else use.key
        units = input["units"] if use.units_expr else use.units
        assert units is not None
        found[key] = found.get(key, 0) + units
    return found
