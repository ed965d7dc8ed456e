"""Who is calling: API tokens in the ``Authorization`` header (C1, C2, TE-9).

Checking a token costs a signature and a query, so the verdict is believed for five seconds. While
the database does not answer, a token that was good a moment ago stays good: streams and heartbeats
of workers outlive a restart of Postgres.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import jwt

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.store import tokens
from hatchet_engine.turn.clock import Clock

CACHE_MS = 5_000  # how long a verdict is believed; a revocation is noticed within that
CACHED_MAX = 10_000
HEADER_LENGTH_MAX = 8_192
STALE_MS = 60_000  # how long a verdict may serve beyond that while the database is away
STALE_STEP_MS = 1_000  # between two looks at a database that is away
CHECK_TIMEOUT_S = 2.0

_DATABASE_AWAY = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it broke off in the middle of an operation
    OSError,
    TimeoutError,
)


class _Verdict(NamedTuple):
    tenant_id: UUID
    good_until_ms: int
    stale_until_ms: int


class Authenticator:
    """Checks tokens; verdicts are cached per token text, so the usual call costs a look-up."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._key: tokens.SigningKey | None = None
        self._verdicts: OrderedDict[str, _Verdict] = OrderedDict()
        self._checks: dict[str, asyncio.Task[UUID]] = {}

    async def tenant_of(self, header: str | None) -> UUID:
        """The tenant a bearer token speaks for.

        Raises ``Refused`` UNAUTHENTICATED for a token that is missing, malformed, not ours,
        expired or revoked, or whose tenant is gone; UNAVAILABLE when nobody can tell now.
        """
        tenant_id = self.known_tenant_of(header)
        if tenant_id is not None:
            return tenant_id
        token = _bearer(header)
        # Many calls come with one token at the moment its verdict grows old: ask once.
        check = self._checks.get(token)
        if check is None:
            check = asyncio.create_task(self._check(token))
            self._checks[token] = check
            check.add_done_callback(lambda done: self._checked(token, done))
        return await asyncio.shield(check)

    def _checked(self, token: str, check: asyncio.Task[UUID]) -> None:
        del self._checks[token]
        if not check.cancelled():
            check.exception()  # raised by those who wait; when they have gone nobody need hear

    async def _check(self, token: str) -> UUID:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                verdict = await self._verify(token)
        except _DATABASE_AWAY:
            old = self._verdicts.get(token)
            now_ms = self._clock.now_ms()
            if old is None or now_ms >= old.stale_until_ms:
                raise Refused(
                    Code.UNAVAILABLE, "the token can't be checked now: try again"
                ) from None
            verdict = old._replace(good_until_ms=min(now_ms + STALE_STEP_MS, old.stale_until_ms))
        except Refused:
            self._verdicts.pop(token, None)
            raise
        self._verdicts[token] = verdict
        while len(self._verdicts) > CACHED_MAX:
            self._verdicts.popitem(last=False)
        return verdict.tenant_id

    def known_tenant_of(self, header: str | None) -> UUID | None:
        """The cached verdict, without waiting; None: ask :meth:`tenant_of`."""
        if header is None:
            return None
        verdict = self._verdicts.get(header[7:]) if header[:7].lower() == "bearer " else None
        if verdict is None or verdict.good_until_ms <= self._clock.now_ms():
            return None
        return verdict.tenant_id

    async def _verify(self, token: str) -> _Verdict:
        claims = await self._claims(token)
        try:
            token_id, tenant_id = UUID(claims["token_id"]), UUID(claims["sub"])
        except (KeyError, ValueError, TypeError, AttributeError):
            raise _refused() from None
        row = await tokens.token_state(self._pool, token_id)
        now_ms = self._clock.now_ms()
        expires_ms = int(row["expires_at"].timestamp() * 1_000) if row is not None else 0
        if (
            row is None
            or row["tenant_id"] != tenant_id
            or row["revoked_at"] is not None
            or row["tenant_deleted_at"] is not None
            or expires_ms <= now_ms
        ):
            raise _refused()
        good_until_ms = min(now_ms + CACHE_MS, expires_ms)
        return _Verdict(tenant_id, good_until_ms, min(good_until_ms + STALE_MS, expires_ms))

    async def _claims(self, token: str) -> dict[str, Any]:
        if self._key is None:
            async with self._pool.acquire() as connection:
                self._key = await tokens.signing_key(connection)
        try:
            # Addresses in a token follow the flags it was made under: the signature counts. The
            # expiry is judged by the stored date and the engine's clock.
            return jwt.decode(
                token,
                self._key.public,
                algorithms=[tokens.ALGORITHM],
                options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            raise _refused() from None


def _bearer(header: str | None) -> str:
    if header is None or header[:7].lower() != "bearer " or len(header) > HEADER_LENGTH_MAX:
        raise _refused()
    return header[7:].strip()


def _refused() -> Refused:
    return Refused(Code.UNAUTHENTICATED, "invalid auth token")
