"""The one error that carries a refusal to the caller, whatever the transport."""

from __future__ import annotations

from enum import IntEnum


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


def invalid(message: str, *, field: str | None = None, index: int = 0) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, message, field=field, index=index)


def not_found(message: str) -> Refused:
    return Refused(Code.NOT_FOUND, message)
