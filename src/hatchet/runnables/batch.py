"""Batch tasks: what their declaration says, and the results of one call taken apart."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from hatchet._core.annotations import decorating_scope, read_annotations
from hatchet._core.codec import Codec, write_output
from hatchet._core.durations import Duration, to_ms
from hatchet.exceptions import IllegalTaskOutputError
from hatchet.runnables.types import BatchConfig, BatchMemberId

MAX_SIZE = 100_000
GROUP_RUNS_MAX = 10_000
INTERVAL_MAX = timedelta(days=1)
IDS_SHOWN = 3

Outcome = str | BaseException  # JSON text of the output, or why a member has failed


def batch_config(
    max_size: int,
    max_interval: Duration | None,
    group_key: str | None,
    group_max_runs: int | None,
    broadcast_output: bool,
) -> BatchConfig:
    """Raises `ValueError` for what the engine would refuse."""
    if not 1 <= max_size <= MAX_SIZE:
        raise ValueError(f"batch_max_size must be 1 to {MAX_SIZE}, not {max_size}")
    if group_max_runs is not None and not 1 <= group_max_runs <= GROUP_RUNS_MAX:
        raise ValueError(
            f"batch_group_max_runs must be 1 to {GROUP_RUNS_MAX}, not {group_max_runs}"
        )
    interval_ms = None if max_interval is None else to_ms(max_interval)
    if interval_ms is not None and not 1 <= interval_ms <= to_ms(INTERVAL_MAX):
        raise ValueError(
            f"batch_max_interval must be 1 ms to {INTERVAL_MAX.days} day, not {max_interval}"
        )
    return BatchConfig(max_size, interval_ms, group_key, group_max_runs, broadcast_output)


def batch_types(fn: Callable[..., Any], broadcast: bool) -> tuple[Any, Any]:
    """Types of the input and of the output of one member; None where nothing usable is said."""
    from hatchet.runnables.task import first_parameter, is_structure

    first = first_parameter(fn)
    read = read_annotations(fn, [first, "return"], decorating_scope())
    item = _last_of(read[first], Mapping)
    output = read["return"]
    if not broadcast:
        output = _last_of(output, Mapping) or _last_of(output, Sequence)
    return item if is_structure(item) else None, _without_errors(output)


def _last_of(hint: Any, kind: Any) -> Any:
    """`T` of `dict[K, T]` or `list[T]`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    return args[-1] if args and isinstance(origin, type) and issubclass(origin, kind) else None


def _without_errors(hint: Any) -> Any:
    """`T` of `T | Exception`."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    kept = [
        one
        for one in typing.get_args(hint)
        if not (isinstance(one, type) and issubclass(one, BaseException))
    ]
    return typing.Union[tuple(kept)] if kept else None  # noqa: UP007 - made of values


def outcomes(
    codec: Codec[Any], ids: Sequence[BatchMemberId], value: Any, broadcast: bool
) -> dict[BatchMemberId, Outcome]:
    """What each member has got. Raises `IllegalTaskOutputError` when it can't be told apart."""
    if broadcast:
        return dict.fromkeys(ids, write_output(codec, value))
    return {id: _outcome(codec, one) for id, one in by_member(ids, value).items()}


def _outcome(codec: Codec[Any], value: Any) -> Outcome:
    if isinstance(value, BaseException):
        return value
    try:
        return write_output(codec, value)
    except IllegalTaskOutputError as error:
        return error


def by_member(ids: Sequence[BatchMemberId], value: Any) -> dict[BatchMemberId, Any]:
    """The results of a call by member: values, or why there is none."""
    if isinstance(value, Mapping):
        unknown = sorted(set(value).difference(ids), key=str)
        if unknown:
            shown = ", ".join(repr(key) for key in unknown[:IDS_SHOWN])
            raise IllegalTaskOutputError(
                f"the batch returned results for {len(unknown)} ids that are none of its members: "
                f"{shown}. Return a dict with the keys of the inputs."
            )
        return {id: value[id] if id in value else _missing(id) for id in ids}
    if isinstance(value, list | tuple):
        if len(value) != len(ids):
            raise IllegalTaskOutputError(
                f"the batch returned {len(value)} results for {len(ids)} inputs. Return one for "
                "each, in their order, or a dict with the keys of the inputs."
            )
        return dict(zip(ids, value, strict=True))
    raise IllegalTaskOutputError(
        f"a batch task returns a dict with the keys of its inputs, or a list in their order, not "
        f"{type(value).__name__}. For one output for all: broadcast_output=True."
    )


def _missing(id: BatchMemberId) -> IllegalTaskOutputError:
    return IllegalTaskOutputError(
        f"the batch returned no result for member {id}. Return a dict with all keys of the inputs; "
        "None is a result."
    )
