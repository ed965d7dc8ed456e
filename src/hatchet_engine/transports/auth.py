"""Who is calling: API tokens in the ``Authorization`` header (C1, C2, TE-9)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from uuid import UUID

import asyncpg
import jwt

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.store import tokens
from hatchet_engine.turn.clock import Clock

CACHE_MS = 5_000  # how long a verdict is believed; a revocation is noticed within that
CACHED_MAX = 10_000


class Authenticator:
    """Checks tokens; verdicts are cached per token text, so the usual call costs a look-up."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._key: tokens.SigningKey | None = None
        self._verdicts: OrderedDict[str, tuple[UUID, int]] = OrderedDict()

    async def tenant_of(self, header: str | None) -> UUID:
        """The tenant a bearer token speaks for.

        Raises ``Refused`` UNAUTHENTICATED for a token that is missing, malformed, not ours,
        expired or revoked, or whose tenant is gone.
        """
        tenant_id = self.known_tenant_of(header)
        if tenant_id is not None:
            return tenant_id
        token = _bearer(header)
        tenant_id, good_until_ms = await self._verify(token)
        self._verdicts[token] = (tenant_id, good_until_ms)
        while len(self._verdicts) > CACHED_MAX:
            self._verdicts.popitem(last=False)
        return tenant_id

    def known_tenant_of(self, header: str | None) -> UUID | None:
        """The cached verdict, without waiting; None: ask :meth:`tenant_of`."""
        if header is None:
            return None
        verdict = self._verdicts.get(header[7:])
        if verdict is None or verdict[1] <= self._clock.now_ms():
            return None
        return verdict[0]

    async def _verify(self, token: str) -> tuple[UUID, int]:
        claims = await self._claims(token)
        try:
            token_id, tenant_id = UUID(claims["token_id"]), UUID(claims["sub"])
        except (KeyError, ValueError, TypeError, AttributeError):
            raise _refused() from None
        row = await tokens.token_state(self._pool, token_id)
        now_ms = self._clock.now_ms()
        if (
            row is None
            or row["tenant_id"] != tenant_id
            or row["revoked_at"] is not None
            or row["tenant_deleted_at"] is not None
            or row["expires_at"].timestamp() * 1_000 <= now_ms
        ):
            raise _refused()
        return tenant_id, min(now_ms + CACHE_MS, int(row["expires_at"].timestamp() * 1_000))

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
    if header is None or header[:7].lower() != "bearer ":
        raise _refused()
    return header[7:].strip()


def _refused() -> Refused:
    return Refused(Code.UNAUTHENTICATED, "invalid auth token")
