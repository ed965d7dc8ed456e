"""The context of the running task, found from anywhere below it."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hatchet.context.context import Context

current: "ContextVar[Context | None]" = ContextVar("hatchet_context", default=None)
