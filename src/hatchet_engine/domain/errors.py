"""The one error that carries a refusal to the caller, whatever the transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from uuid import UUID

KEY_COLLISION = "idempotency key collision"  # SDKs compare the text


class Code(IntEnum):
    """Why a command was refused; the numbers are gRPC status codes."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Refused(Exception):
    """A command that can't be carried out; nothing of it was written.

    ``message`` names the field and the remedy; ``index`` is the item of a bulk call it is about;
    ``field`` the offending field, for REST.
    """

    def __init__(
        self, code: Code, message: str, *, field: str | None = None, index: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.index = index


class KeyCollision(Refused):
    """Some runs of a call were not created, because others hold their idempotency keys. Those with
    free keys were, so this is raised only once they are stored (ID-3, ID-4).

    ``run_ids``: in item order, of the runs that were created and of those that would have been;
    ``holders``: by position, the run that holds the key of an item that was not created.
    """

    def __init__(self, run_ids: Sequence[UUID], holders: Mapping[int, UUID]) -> None:
        super().__init__(Code.ALREADY_EXISTS, KEY_COLLISION, index=min(holders))
        self.run_ids = run_ids
        self.holders = holders

    @property
    def created(self) -> list[UUID]:
        """The runs that were created, in item order."""
        return [id_ for at, id_ in enumerate(self.run_ids) if at not in self.holders]


def invalid(message: str, *, field: str | None = None, index: int = 0) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, message, field=field, index=index)


def not_found(message: str) -> Refused:
    return Refused(Code.NOT_FOUND, message)
