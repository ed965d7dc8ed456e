"""Loads SQL: one file per aggregate in ``store/sql``, statements split by ``-- name:`` lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load(aggregate: str) -> Mapping[str, str]:
    """All statements of ``store/sql/<aggregate>.sql`` by name.

    >>> "task_insert_many" in load("tasks")
    True
    """
    text = files("hatchet_engine.store").joinpath("sql", f"{aggregate}.sql").read_text("utf-8")
    parts = _NAME.split(text)
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{aggregate}.sql names a statement twice")
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}
