"""What the failure of a turn means: the connection, the state of the database, or a value."""

from __future__ import annotations

import asyncpg

from hatchet_engine.domain.errors import invalid


class ConnectionLost(Exception):
    """The writer's connection broke. Waiting commands are kept for the next take-over."""


# How a connection that is gone shows. ``InterfaceError`` also covers values that can't be encoded,
# which are the fault of a command: :func:`is_lost` tells them apart.
CONNECTION_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the library was taken by surprise in the middle of an operation
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    OSError,
)

# The state of the database is at fault, not what was to be stored: it may be well in a moment.
PASSING_ERRORS = (
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
)


def is_lost(error: BaseException) -> bool:
    """Whether an error means that the connection is gone."""
    if isinstance(error, ConnectionLost):
        return True
    return isinstance(error, CONNECTION_ERRORS) and not _unstorable(error)


def _unstorable(error: BaseException) -> bool:
    """Whether Postgres, or its client, refused a value; the client's error is a ValueError too."""
    if isinstance(error, asyncpg.InterfaceError):
        return isinstance(error, ValueError)
    return isinstance(error, asyncpg.DataError)


def answer_of(error: Exception) -> Exception:
    """What the caller of a command that can't be stored gets to hear."""
    if _unstorable(error):
        return invalid(f"a value can't be stored: {error}")
    return error
