"""A writer's connection whose statements and commits fail when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Self

import asyncpg


class Commit(Enum):
    """What happens at the next COMMIT."""

    LOST_BEFORE = "the connection breaks and nothing is stored"
    LOST_AFTER = "everything is stored and the answer never comes"


def connection_lost() -> Exception:
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


class FlakyConnection:
    """Passes everything on to a real connection. ``commit`` is used up by the next transaction
    that has written something; ``before_execute`` may raise in place of any statement."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.commit: Commit | None = None
        self.before_execute: Callable[[str, tuple[Any, ...]], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    async def execute(self, statement: str, *arguments: Any, **options: Any) -> Any:
        if self.before_execute is not None:
            self.before_execute(statement, arguments)
        if self.connection.is_in_transaction():
            return await self.connection.execute(statement, *arguments, **options)
        # A statement outside a transaction commits by itself.
        commit, self.commit = self.commit, None
        if commit is Commit.LOST_BEFORE:
            raise connection_lost()
        answer = await self.connection.execute(statement, *arguments, **options)
        if commit is Commit.LOST_AFTER:
            raise connection_lost()
        return answer

    def transaction(self) -> FlakyTransaction:
        return FlakyTransaction(self)


class FlakyTransaction:
    def __init__(self, flaky: FlakyConnection) -> None:
        self._flaky = flaky
        self._transaction = flaky.connection.transaction()

    async def start(self) -> None:
        await self._transaction.start()

    async def rollback(self) -> None:
        await self._transaction.rollback()

    async def commit(self) -> None:
        commit, self._flaky.commit = self._flaky.commit, None
        if commit is Commit.LOST_BEFORE:
            await self._transaction.rollback()
            raise connection_lost()
        await self._transaction.commit()
        if commit is Commit.LOST_AFTER:
            raise connection_lost()

    async def __aenter__(self) -> Self:
        await self._transaction.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            await self.commit()
        else:
            await self.rollback()
