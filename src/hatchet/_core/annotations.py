"""Annotations of functions as types, however they were written.

Postponed annotations (`from __future__ import annotations`) are looked up where the function
stands and where it is decorated. Each is read by itself: a name that only the type checker knows
does no harm elsewhere.
"""

import builtins
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def read_annotations(
    fn: Callable[..., Any],
    names: Iterable[str],
    scope: Mapping[str, Any],
    unknown_is_any: bool = False,
) -> dict[str, Any]:
    """The annotations of these parameters (`return` for the result); None: nothing usable.

    `scope` holds names that the function's own module may not know. With `unknown_is_any`, a name
    that nobody knows stands for `Any`: in `Annotated[Connection, ...]` only the rest may matter.
    """
    function = inspect.unwrap(fn)
    if not hasattr(function, "__annotations__") and callable(function):
        function = type(function).__call__  # an object that can be called
    raw = getattr(function, "__annotations__", {})
    known = {**scope, **_closure_of(function)}
    if unknown_is_any:
        known = _Lenient(getattr(function, "__globals__", {}), known)
    return {name: _resolve(function, raw.get(name), known) for name in names}


class _Lenient(dict[str, Any]):
    """Local names, then global ones, then `Any`."""

    def __init__(self, globals_: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        super().__init__({**vars(builtins), **globals_, **known})

    def __missing__(self, name: str) -> Any:
        return Any


def _resolve(function: Callable[..., Any], annotation: Any, scope: dict[str, Any]) -> Any:
    holder = type("_Holder", (), {"__annotations__": {"it": annotation}})
    try:
        hints = typing.get_type_hints(
            holder, getattr(function, "__globals__", {}), scope, include_extras=True
        )
    except Exception:  # whatever the evaluation of a stranger's text may raise
        return None
    return hints["it"]


def _closure_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return dict(inspect.getclosurevars(function).nonlocals)
    except (TypeError, ValueError):
        return {}


def decorating_scope() -> dict[str, Any]:
    """Local names of the first caller outside of this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == "hatchet":
        frame = frame.f_back
    return {} if frame is None else dict(frame.f_locals)
