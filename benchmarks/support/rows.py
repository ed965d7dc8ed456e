"""What a scenario gives back: rows with bars, and CPU time split by process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

OURS = "Hatchet (this project)"
Verdict = Literal["pass", "miss", "none"]


@dataclass(frozen=True, slots=True)
class Bar:
    """The figure to reach. `at_least` False means "at most"; `strict` excludes the limit itself."""

    limit: float
    at_least: bool
    strict: bool = False

    def ratio(self, value: float) -> float:
        """How many times better than the bar; below 1 is a miss."""
        good, bad = (value, self.limit) if self.at_least else (self.limit, value)
        return good / bad if bad else float("inf")

    def passed(self, value: float) -> bool:
        ratio = self.ratio(value)
        return ratio > 1 if self.strict else ratio >= 1

    def text(self, unit: str) -> str:
        sign = "≥" if self.at_least else ("<" if self.strict else "≤")
        return f"{sign} {number(self.limit)} {unit}".rstrip()


def at_least(limit: float) -> Bar:
    """More is better."""
    return Bar(limit, at_least=True)


def at_most(limit: float) -> Bar:
    """Less is better."""
    return Bar(limit, at_least=False)


def below(limit: float) -> Bar:
    """Less is better, and the limit itself is too much."""
    return Bar(limit, at_least=False, strict=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `value` None: it could not be measured, and `note` says why."""

    what: str
    value: float | None
    unit: str = ""
    bar: Bar | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None or self.bar is None:
            return "none"
        return "pass" if self.bar.passed(self.value) else "miss"

    def as_json(self) -> dict[str, Any]:
        ratio = None if self.value is None or self.bar is None else self.bar.ratio(self.value)
        return dataclasses.asdict(self) | {"verdict": self.verdict, "ratio": ratio}


@dataclass(frozen=True, slots=True)
class CpuSplit:
    """CPU time of one measurement, by group of processes."""

    what: str
    tasks: int
    took_s: float
    cpu_s: dict[str, float]

    def us_per_task(self, group: str) -> float:
        return self.cpu_s[group] / self.tasks * 1e6

    def as_json(self) -> dict[str, Any]:
        per_task = {group: self.us_per_task(group) for group in self.cpu_s}
        return dataclasses.asdict(self) | {"us_per_task": per_task}


@dataclass(frozen=True, slots=True)
class Standing:
    """Figures of one system for the table of peers; None: not measured here."""

    system: str
    tasks_per_s: float | None = None
    """From the first trigger until all tasks are done, a worker running meanwhile."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    note: str = ""


@dataclass(slots=True)
class Outcome:
    """All that one scenario found out; `details` go to the JSON file only."""

    rows: list[Row] = field(default_factory=list)
    splits: list[CpuSplit] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": [row.as_json() for row in self.rows],
            "cpu": [split.as_json() for split in self.splits],
            "standings": [dataclasses.asdict(standing) for standing in self.standings],
            "details": self.details,
        }


def own_standing(outcomes: Iterable[Outcome]) -> Standing:
    """Our own standing, whose parts come from several scenarios."""
    parts = [s for outcome in outcomes for s in outcome.standings if s.system == OURS]
    merged = Standing(OURS)
    for part in parts:
        found = {name: value for name, value in dataclasses.asdict(part).items() if value}
        merged = dataclasses.replace(merged, **found)
    return merged


def number(value: float) -> str:
    """Three figures that matter, with thousands separated."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}".rstrip("0").rstrip(".")
