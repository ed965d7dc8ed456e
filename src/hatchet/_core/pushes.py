"""Events on their way to the engine."""

from dataclasses import is_dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel

from hatchet._core.codec import write_by_own_type, write_metadata
from hatchet._core.naming import apply_namespace
from hatchet.context.current import current
from hatchet.serde import has_escaped_null

SOURCE_RUN = "hatchet__source_workflow_run_id"
SOURCE_TASK = "hatchet__source_step_run_id"


class PushItem(NamedTuple):
    """One event, ready to be sent. Texts are JSON objects; "" means absent."""

    key: str
    payload: str
    metadata: str
    priority: int | None
    scope: str | None

    @property
    def size(self) -> int:
        """Bytes on the wire, never too small: JSON texts are counted as UTF-8."""
        texts = (self.key, self.payload, self.metadata, self.scope or "")
        return sum(len(each.encode()) for each in texts) + 64


class Pushed(BaseModel):
    """An event as the engine has stored it. `payload` and `additional_metadata` are JSON texts."""

    tenant_id: str
    event_id: str
    key: str
    payload: str
    event_timestamp: datetime
    additional_metadata: str | None = None
    scope: str | None = None

    @property
    def seen_at(self) -> datetime:
        """When the engine got it."""
        return self.event_timestamp

    @property
    def eventTimestamp(self) -> datetime:  # noqa: N802 - a name of the official SDK
        return self.event_timestamp

    @property
    def additionalMetadata(self) -> str | None:  # noqa: N802 - a name of the official SDK
        return self.additional_metadata


def push_item(
    key: str,
    payload: Any,
    namespace: str,
    metadata: dict[str, Any] | None,
    priority: int | None,
    scope: str | None,
) -> PushItem:
    """Check an event and write it. Inside a task, its origin goes into the metadata.

    Raises `ValueError` and `TypeError` for what the engine would refuse.
    """
    if not key:
        raise ValueError("an event needs a key")
    if priority is not None and not 1 <= priority <= 3:
        raise ValueError(f"priority must be 1, 2 or 3, not {priority}")
    context = current.get()
    if context is not None:
        metadata = {
            **(metadata or {}),
            SOURCE_RUN: context.workflow_run_id,
            SOURCE_TASK: context.task_run_id,
        }
    return PushItem(
        apply_namespace(key, namespace),
        _object("payload", payload),
        write_metadata(metadata),
        None if priority is None else int(priority),
        scope,
    )


def _object(field: str, value: Any) -> str:
    if not isinstance(value, (dict, BaseModel)) and not is_dataclass(value):
        raise TypeError(
            f"{field} must be a dict, a pydantic model or a dataclass, not {type(value).__name__}"
        )
    text = write_by_own_type(value)
    if has_escaped_null(text):
        raise ValueError(
            f"{field} contains the null character \\u0000, which Postgres cannot store. "
            "hatchet.remove_null_unicode_character() removes it."
        )
    return text
