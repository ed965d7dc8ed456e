"""The table of environments: which names an expression sees where, and what it must give.

All environments offer the same functions: the standard library and macros of CEL, the strings
extension, and ``checksum(string)``, the SHA-256 of a text in hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """Type of a variable, or of a result."""

    MAP = "map"  # of strings to anything that JSON can hold
    HEADERS = "headers"  # a map of strings to strings
    STRING = "string"
    BOOL = "bool"
    INT = "int"  # of a result; a double is truncated towards zero


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """Where an expression stands.

    ``empty``: what an empty expression gives; None if it is an error.
    ``lenient``: a result of a wrong type is False instead of an error.
    ``stripped``: white space around a string result is removed.
    ``reserved_prefix``: a string result must not begin with it.
    """

    name: str  # for messages: "a filter"
    variables: Mapping[str, Kind]
    result: Kind
    empty: bool | None = None
    lenient: bool = False
    stripped: bool = False
    reserved_prefix: str = ""


def _names(*maps: str, strings: tuple[str, ...] = ()) -> Mapping[str, Kind]:
    return MappingProxyType(dict.fromkeys(maps, Kind.MAP) | dict.fromkeys(strings, Kind.STRING))


_EVENT = _names("input", "additional_metadata", "payload", strings=("event_id", "event_key"))
# `workflow_run_id` is the run's own id, `task_run_id` the task's.
_RUN = _names("input", "additional_metadata", strings=("workflow_run_id",))
_TASK = _names(
    "input", "additional_metadata", "parents", strings=("workflow_run_id", "task_run_id")
)
_WEBHOOK = MappingProxyType({"input": Kind.MAP, "headers": Kind.HEADERS})

# `input` is the payload of an event, `output` what a parent returned; the other one is empty.
CONDITION = Environment(
    "a condition", _names("input", "output"), Kind.BOOL, empty=True, lenient=True
)
FILTER = Environment("a filter", _EVENT, Kind.BOOL, empty=False)
CONCURRENCY_KEY = Environment("a concurrency key of a task", _TASK, Kind.STRING)
MAX_RUNS = Environment("max_runs of a task", _TASK, Kind.INT)
RUN_CONCURRENCY_KEY = Environment("a concurrency key of a workflow", _RUN, Kind.STRING)
RUN_MAX_RUNS = Environment("max_runs of a workflow", _RUN, Kind.INT)
RATE_LIMIT_KEY = Environment("a rate limit key", _TASK, Kind.STRING)
RATE_LIMIT_UNITS = Environment("rate limit units", _TASK, Kind.INT)
CONSTANT = Environment("a number", _names(), Kind.INT)  # the same for all runs
BATCH_KEY = Environment("a batch group key", _TASK, Kind.STRING, stripped=True)
# The key decides whether there is a run at all, so no id of one is known yet.
IDEMPOTENCY_KEY = Environment(
    "an idempotency key",
    _names("input", "additional_metadata"),
    Kind.STRING,
    reserved_prefix="hatchet_internal_",
)
WEBHOOK_KEY = Environment("a webhook key", _WEBHOOK, Kind.STRING)

ENVIRONMENTS = (
    CONDITION,
    FILTER,
    CONCURRENCY_KEY,
    MAX_RUNS,
    RUN_CONCURRENCY_KEY,
    RUN_MAX_RUNS,
    RATE_LIMIT_KEY,
    RATE_LIMIT_UNITS,
    BATCH_KEY,
    IDEMPOTENCY_KEY,
    WEBHOOK_KEY,
)
