"""Runs that tasks spawn (CH-*): what they inherit, and when one exists already."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import orjson

RESERVED = "hatchet__"
INPUT_COMPARED_MAX = 8_192  # bytes; of longer inputs of children only the sizes are compared
DIFFERENCES_TOLD_MAX = 10  # to one parent in one turn


@dataclass(slots=True)
class Parent:
    run_id: UUID
    metadata: str  # JSON object text, "" = none


@dataclass(slots=True)
class Spawn:
    """What the tables say about the parents of some new runs."""

    parents: dict[UUID, Parent] = field(default_factory=dict)
    existing: dict[tuple[UUID, str], UUID] = field(default_factory=dict)  # (parent, key) -> run


class Child(Protocol):
    """A run to be spawned, as asked for or as checked."""

    child_index: int | None
    child_key: str | None


def child_key(item: Child) -> str | None:
    """What tells the children of one task apart: the given key, else the index (CH-2)."""
    if item.child_key:
        return item.child_key
    return None if item.child_index is None else str(item.child_index)


def input_mark(item: Child, input: str) -> tuple[int | None, str | None]:
    """What tells whether a child that exists has this input: size and MD5, which may be None
    (CH-4). A given key stands for the same child whatever its input."""
    if item.child_key:
        return None, None
    data = input.encode()
    if len(data) > INPUT_COMPARED_MAX:
        return len(data), None
    return len(data), hashlib.md5(data, usedforsecurity=False).hexdigest()


def inherited(parent: Parent, parent_id: UUID, own: str | None) -> str:
    """Metadata of a child: its parent's, overlaid by its own, and where it comes from (CH-7)."""
    values = {
        key: value
        for key, value in orjson.loads(parent.metadata or "{}").items()
        if not key.startswith(RESERVED)
    }
    values.update(orjson.loads(own or "{}"))
    values["hatchet__parent_workflow_run_id"] = str(parent.run_id)
    values["hatchet__parent_step_run_id"] = str(parent_id)
    return orjson.dumps(values).decode()
