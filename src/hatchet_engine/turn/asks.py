"""What the expressions of a definition ask for, worked out for one task or run as it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hatchet_engine.domain.concurrency import Strategy
from hatchet_engine.domain.definition import BatchConfig, ConcurrencyRule, RateLimitUse
from hatchet_engine.domain.demand import DEMANDS_KEPT_MAX, Demand, Place, Units
from hatchet_engine.domain.expressions import (
    BATCH_KEY,
    CONCURRENCY_KEY,
    MAX_RUNS,
    RATE_LIMIT_KEY,
    RATE_LIMIT_UNITS,
    RUN_CONCURRENCY_KEY,
    RUN_MAX_RUNS,
    Environment,
    EvaluationError,
    ExpressionError,
    compile,
)

UNTOUCHED = -1  # a limit that is not to be set (RL-4)
WINDOW_DEFAULT = "MINUTE"
FAILED_TEXT = "failed to parse step expression"
GROUP_BYTES_MAX = 2_000  # of the key of a batch group
BATCH_FAILED_TEXT = "failed to parse batch group key expression"


Asked = tuple[tuple[Place, ...], tuple[Units, ...], str | None, int]


class AskError(Exception):
    """An expression has no result for this task; the text is for the user (CON-2, RL-2, BA-5)."""


class Value:
    """An expression, or else a constant, that gives a value for a task."""

    __slots__ = ("_constant", "_environment", "_text", "names")

    def __init__(
        self, text: str | None, environment: Environment, constant: str | int | None = None
    ) -> None:
        self._constant: bool | str | int | None = constant if text is None else None
        self._environment = environment
        self._text = text
        self.names: frozenset[str] = frozenset()
        if text is not None:
            program = compile(text, environment)
            self.names = program.names
            if not self.names:
                self._constant = _constant(text, environment)

    def of(self, variables: Mapping[str, Any], prefix: str = FAILED_TEXT) -> Any:
        """Raises ``AskError``."""
        if self._constant is not None:
            return self._constant
        assert self._text is not None
        try:
            return compile(self._text, self._environment).evaluate(variables)
        except (EvaluationError, ExpressionError) as error:
            raise AskError(f"{prefix}: {error}") from None


def _constant(text: str, environment: Environment) -> bool | str | int | None:
    try:
        return compile(text, environment).evaluate({})
    except (EvaluationError, ExpressionError):
        return None  # it fails again, and with a message, when it is asked for


class Rule:
    """A concurrency rule of a step, or of a version for whole runs."""

    __slots__ = ("key", "limit_id", "max_runs", "strategy")

    def __init__(self, rule: ConcurrencyRule, limit_id: int, *, run: bool) -> None:
        self.limit_id = limit_id
        self.strategy = Strategy(rule.strategy)
        self.key = Value(rule.expression, RUN_CONCURRENCY_KEY if run else CONCURRENCY_KEY)
        self.max_runs = Value(
            rule.max_runs_expression or None, RUN_MAX_RUNS if run else MAX_RUNS, rule.max_runs
        )

    def place(self, variables: Mapping[str, Any]) -> Place:
        """Raises ``AskError``."""
        most = self.max_runs.of(variables)
        if most < 1:
            raise AskError(f"{FAILED_TEXT}: max_runs is {most}, it must be at least 1")
        return Place(self.key.of(variables), most)


class Use:
    """A rate limit that a step uses. ``window`` None: static."""

    __slots__ = ("key", "limit", "units", "window")

    def __init__(self, use: RateLimitUse) -> None:
        dynamic = bool(use.key_expr or use.units_expr or use.limit_expr)
        self.key = Value(use.key_expr or None, RATE_LIMIT_KEY, use.key)
        units = use.units if use.units is not None else 1
        self.units = Value(use.units_expr or None, RATE_LIMIT_UNITS, units)
        self.limit = Value(use.limit_expr or None, RATE_LIMIT_UNITS, UNTOUCHED)
        self.window = (use.duration or WINDOW_DEFAULT) if dynamic else None

    def ask(self, variables: Mapping[str, Any]) -> tuple[Units, tuple[str, int, str] | None]:
        """The units, and (key, limit, window) of a limit that is to be set. Raises ``AskError``."""
        key, units = self.key.of(variables), self.units.of(variables)
        if not key:
            raise AskError(f"{FAILED_TEXT}: the key of a rate limit is empty")
        if units < 0:
            raise AskError(f"{FAILED_TEXT}: units of rate limit {key!r} are negative: {units}")
        limit = self.limit.of(variables)
        changed = None
        if limit != UNTOUCHED and self.window is not None:
            if limit < 0:
                raise AskError(f"{FAILED_TEXT}: limit of {key!r} is negative: {limit}")
            changed = (key, limit, self.window)
        return Units(key, units), changed


class Asks:
    """All that one step asks for."""

    __slots__ = ("_group", "_made", "_names", "_uses", "rules")

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        uses: Sequence[RateLimitUse] = (),
        batch: BatchConfig | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self._made: dict[Asked, Demand] = {}
        self._uses = [Use(use) for use in uses]
        self._group = None
        if batch is not None:
            self._group = Value(batch.group_key or None, BATCH_KEY, "")
        values = [value for rule in self.rules for value in (rule.key, rule.max_runs)]
        values += [value for use in self._uses for value in (use.key, use.units, use.limit)]
        if self._group is not None:
            values.append(self._group)
        self._names = frozenset(name for value in values for name in value.names)

    @property
    def batched(self) -> bool:
        """Whether tasks are gathered into batches."""
        return self._group is not None

    def looks_at(self, name: str) -> bool:
        """Whether an expression uses a variable, or the size of the start payload depends on it."""
        return name in self._names or self.batched

    def demand(
        self,
        variables: Mapping[str, Callable[[], Any]],
        base: Demand | None,
        limits: list[tuple[str, int, str]],
        size: int = 0,
    ) -> Demand:
        """What a task asks for, on top of ``base`` (worker and labels). ``variables``: how to get
        each value. Rate limits that are to be set are added to ``limits``. ``size``: of the start
        payload of a task of a batch, in bytes. Raises ``AskError``."""
        known = {name: variables[name]() for name in self._names if name in variables}
        places = tuple(rule.place(known) for rule in self.rules)
        units: dict[str, int] = {}  # two uses of one key ask for the sum
        for use in self._uses:
            (key, taken), changed = use.ask(known)
            units[key] = units.get(key, 0) + taken
            if changed is not None:
                limits.append(changed)
        group = None
        if self._group is not None:
            group = self._group.of(known, BATCH_FAILED_TEXT)
            if len(group.encode()) > GROUP_BYTES_MAX:
                raise AskError(
                    f"{BATCH_FAILED_TEXT}: the key is longer than {GROUP_BYTES_MAX} bytes"
                )
        asked = (places, tuple(Units(*one) for one in units.items()), group, size)
        if base is None:
            return self._shared(asked)
        return _made(asked, base)

    def _shared(self, asked: Asked) -> Demand:
        """Many tasks ask for the same, so they share it."""
        demand = self._made.get(asked)
        if demand is None:
            if len(self._made) >= DEMANDS_KEPT_MAX:
                self._made.clear()
            demand = self._made[asked] = _made(asked, None)
        return demand


def _made(asked: Asked, base: Demand | None) -> Demand:
    places, units, group, size = asked
    return Demand(
        worker_id=None if base is None else base.worker_id,
        labels=None if base is None else base.labels,
        places=places,
        units=units,
        group=group,
        size=size,
    )
