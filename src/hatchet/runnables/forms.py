"""The forms in which a declaration takes its options, made one, with mistakes told by name."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.labels import DesiredWorkerLabel
    from hatchet.types.rate_limit import RateLimit

__all__ = ["as_concurrency", "as_labels", "as_rate_limits", "as_slots"]

T = TypeVar("T")


def as_concurrency(
    value: "int | ConcurrencyExpression | Sequence[ConcurrencyExpression] | None",
) -> "list[ConcurrencyExpression]":
    """All accepted forms of `concurrency` as a list. Raises `ValueError` or `TypeError`."""
    if value is None:
        return []
    from hatchet.types.concurrency import ConcurrencyExpression

    if isinstance(value, ConcurrencyExpression):
        return [value]
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"concurrency must be at least 1, not {value}")
        return [ConcurrencyExpression.from_int(value)]
    return _all_of("concurrency", value, ConcurrencyExpression, "a number, ")


def as_rate_limits(value: "Sequence[RateLimit] | None") -> "list[RateLimit]":
    """`rate_limits` as a list. Raises `TypeError`."""
    if value is None:
        return []
    from hatchet.types.rate_limit import RateLimit

    return _all_of("rate_limits", value, RateLimit)


def as_labels(
    value: "Sequence[DesiredWorkerLabel] | dict[str, DesiredWorkerLabel] | None",
) -> "list[DesiredWorkerLabel]":
    """All accepted forms of desired labels as a list with keys. Raises `TypeError`.

    A label without a key says nothing; it is left out, with a warning.
    """
    if value is None:
        return []
    from hatchet.types.labels import DesiredWorkerLabel

    if isinstance(value, dict):
        value = [label.model_copy(update={"key": key}) for key, label in value.items()]
    labels = _all_of("desired_worker_labels", value, DesiredWorkerLabel)
    if not all(label.key for label in labels):
        warnings.warn(
            "desired_worker_labels: a label without key is ignored; say which label is meant",
            RuntimeWarning,
            stacklevel=4,
        )
    return [label for label in labels if label.key]


def as_slots(option: str, value: "int | Mapping[str, int]") -> dict[str, int]:
    """Slots by pool; a number means the pool `default`. Raises `ValueError` or `TypeError`."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"{option} must be at least 1, not {value}")
        return {"default": value}
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{option} is a number or a dict of numbers by pool, such as {{'default': 1}}, "
            f"not {value!r}"
        )
    if not value:
        raise ValueError(f"{option} names no pool, such as {{'default': 1}}")
    pools: Mapping[Any, Any] = value  # what a type checker can't promise
    for pool, number in pools.items():
        if not isinstance(pool, str) or not pool:
            raise ValueError(f"{option}: the name of a pool is a text, not {pool!r}")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{option}[{str(pool)!r}] must be at least 1, not {number!r}")
    return {str(pool): number for pool, number in value.items()}


def _all_of(option: str, value: Any, kind: type[T], more: str = "") -> list[T]:
    items = list(value) if isinstance(value, (list, tuple, Sequence)) else [value]
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(
                f"{option} takes {more}one {kind.__name__} or a sequence of them, not {item!r}"
            )
    return items
