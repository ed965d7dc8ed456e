"""Tokens, tenants and the authenticator, on a real database (C1, C2, TE-1, TE-7 to TE-9)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import jwt
import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.store import tenants, tokens
from hatchet_engine.transports import auth
from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.turn.clock import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1_000)
TENANT = UUID("707d0855-80ab-4e1f-a156-f1c4546cbf52")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as found:
        async with found.acquire() as connection:
            await tenants.ensure_default_tenant(connection, NOW)
        yield found


async def made(pool: asyncpg.Pool, **changes: Any) -> str:
    values: dict[str, Any] = {
        "tenant_id": TENANT,
        "name": "test",
        "expires_at": NOW + timedelta(days=90),
        "now": NOW,
        "server_url": "http://localhost:8080",
        "grpc_broadcast_address": "localhost:7077",
    }
    async with pool.acquire() as connection:
        return await tokens.create_token(connection, **(values | changes))


async def refused(authenticator: Authenticator, header: str | None) -> Code:
    with pytest.raises(Refused) as caught:
        await authenticator.tenant_of(header)
    if caught.value.code is Code.UNAUTHENTICATED:
        assert caught.value.message == "invalid auth token"
    return caught.value.code


# ------------------------------------------------------------------ tokens


async def test_te_7_claims_and_form(pool: asyncpg.Pool) -> None:
    token = await made(pool)
    assert token.startswith("ey")
    assert "=" not in token
    parts = token.split(".")
    assert len(parts) == 3
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2]
    )
    assert header["alg"] == "ES256"
    assert header["kid"]
    assert claims["sub"] == str(TENANT)
    assert claims["aud"] == claims["iss"] == claims["server_url"] == "http://localhost:8080"
    assert claims["grpc_broadcast_address"] == "localhost:7077"
    assert (claims["iat"], claims["exp"] - claims["iat"]) == (NOW_MS // 1_000, 90 * 86_400)
    UUID(claims["token_id"])


async def test_one_key_even_when_many_start_at_once(pool: asyncpg.Pool) -> None:
    async def key_id() -> str:
        async with pool.acquire() as connection:
            return (await tokens.signing_key(connection)).id

    assert len(set(await asyncio.gather(*(key_id() for _ in range(8))))) == 1
    assert await pool.fetchval("select count(*) from setting") == 1


async def test_list_and_revoke(pool: asyncpg.Pool) -> None:
    await made(pool, name="first")
    await made(pool, name="second", now=NOW + timedelta(seconds=1))
    async with pool.acquire() as connection:
        second, first = await tokens.list_tokens(connection, TENANT)
        assert (second.name, first.name, first.revoked_at) == ("second", "first", None)
        assert await tokens.revoke_token(connection, TENANT, first.id, NOW)
        later = NOW + timedelta(hours=1)
        assert await tokens.revoke_token(connection, TENANT, first.id, later)  # harmless
        assert not await tokens.revoke_token(connection, uuid4(), first.id, NOW)
        assert not await tokens.revoke_token(connection, TENANT, uuid4(), NOW)
        assert (await tokens.list_tokens(connection, TENANT))[1].revoked_at == NOW
        assert await tokens.list_tokens(connection, uuid4()) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"name": ""}, "name"), ({"name": "x" * 256}, "name"), ({"expires_at": NOW}, "expires")],
)
async def test_te_8_bad_tokens_are_refused(
    pool: asyncpg.Pool, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refused, match=field):
        await made(pool, **changes)
    assert await pool.fetchval("select count(*) from api_token") == 0


async def test_te_1_default_tenant_and_look_up(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        await tenants.ensure_default_tenant(connection, NOW)
        assert await pool.fetchval("select count(*) from tenant") == 1
        for text in (None, "default", str(TENANT)):
            assert await tenants.find_tenant(connection, text) == TENANT
        with pytest.raises(Refused, match="nobody") as caught:
            await tenants.find_tenant(connection, "nobody")
    assert caught.value.code is Code.NOT_FOUND


# ------------------------------------------------------------------ authenticator


async def test_te_9_a_good_token_whatever_the_case_of_the_scheme(pool: asyncpg.Pool) -> None:
    authenticator = Authenticator(pool, ManualClock(NOW_MS))
    token = await made(pool)
    for scheme in ("bearer", "Bearer", "BEARER"):
        assert await authenticator.tenant_of(f"{scheme} {token}") == TENANT


async def test_te_9_addresses_of_other_flags_do_not_matter(pool: asyncpg.Pool) -> None:
    token = await made(pool, server_url="https://elsewhere", grpc_broadcast_address="x:1")
    assert await Authenticator(pool, ManualClock(NOW_MS)).tenant_of(f"bearer {token}") == TENANT


async def test_te_9_bad_tokens(pool: asyncpg.Pool) -> None:
    authenticator = Authenticator(pool, ManualClock(NOW_MS))
    token = await made(pool)
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none")
    symmetric = jwt.encode(claims, "k" * 32, algorithm="HS256")
    for header in (
        None,
        "",
        token,
        f"Basic {token}",
        f"bearer{token}",
        "bearer ",
        "bearer x",
        "bearer a.b.c",
        f"bearer {head}.{body}.{signature[:-4]}AAAA",
        f"bearer {head}.{body}.",
        f"bearer {unsigned}",
        f"bearer {symmetric}",
        "bearer " + "x" * 100_000,
        f"bearer {token}\x00",
    ):
        assert await refused(authenticator, header) is Code.UNAUTHENTICATED, header


async def test_te_9_claims_that_lie(pool: asyncpg.Pool) -> None:
    authenticator = Authenticator(pool, ManualClock(NOW_MS))
    async with pool.acquire() as connection:
        key = await tokens.signing_key(connection)
    good = jwt.decode(await made(pool), options={"verify_signature": False})
    for lie in (
        {"sub": str(uuid4())},
        {"token_id": str(uuid4())},
        {"token_id": "x"},
        {"token_id": None},
        {"token_id": 5},
        {"sub": "x"},
    ):
        token = jwt.encode(good | lie, key.private, algorithm="ES256")
        assert await refused(authenticator, f"bearer {token}") is Code.UNAUTHENTICATED, lie
    del good["token_id"]
    token = jwt.encode(good, key.private, algorithm="ES256")
    assert await refused(authenticator, f"bearer {token}") is Code.UNAUTHENTICATED


async def test_te_9_revocation_counts_within_five_seconds(pool: asyncpg.Pool) -> None:
    clock = ManualClock(NOW_MS)
    authenticator = Authenticator(pool, clock)
    header = f"bearer {await made(pool)}"
    await authenticator.tenant_of(header)
    await pool.execute("update api_token set revoked_at = $1", NOW)
    clock.advance(auth.CACHE_MS - 1)
    assert await authenticator.tenant_of(header) == TENANT
    clock.advance(1)
    assert await refused(authenticator, header) is Code.UNAUTHENTICATED
    assert await refused(authenticator, header) is Code.UNAUTHENTICATED


async def test_te_9_expiry_counts_at_once(pool: asyncpg.Pool) -> None:
    clock = ManualClock(NOW_MS)
    authenticator = Authenticator(pool, clock)
    header = f"bearer {await made(pool, expires_at=NOW + timedelta(seconds=2))}"
    await authenticator.tenant_of(header)
    clock.advance(2_000)
    assert await refused(authenticator, header) is Code.UNAUTHENTICATED


async def test_te_2_tokens_of_a_deleted_tenant_fail(pool: asyncpg.Pool) -> None:
    header = f"bearer {await made(pool)}"
    await pool.execute("update tenant set deleted_at = $1", NOW)
    authenticator = Authenticator(pool, ManualClock(NOW_MS))
    assert await refused(authenticator, header) is Code.UNAUTHENTICATED


async def test_many_calls_with_one_token_ask_once(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    real = tokens.token_state

    async def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await real(*arguments)

    monkeypatch.setattr(tokens, "token_state", counted)
    authenticator = Authenticator(pool, ManualClock(NOW_MS))
    header = f"bearer {await made(pool)}"
    assert set(await asyncio.gather(*(authenticator.tenant_of(header) for _ in range(50)))) == {
        TENANT
    }
    await authenticator.tenant_of(header)
    assert asked == 1


async def test_the_cache_is_bounded(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CACHED_MAX", 2)
    authenticator = Authenticator(pool, ManualClock(NOW_MS))
    for _ in range(4):
        await authenticator.tenant_of(f"bearer {await made(pool)}")
    assert len(authenticator._verdicts) == 2


async def test_a_good_token_outlives_a_restart_of_postgres(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(NOW_MS)
    authenticator = Authenticator(pool, clock)
    header, other = f"bearer {await made(pool)}", f"bearer {await made(pool)}"
    await authenticator.tenant_of(header)

    async def away(*arguments: Any) -> Any:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "token_state", away)
        clock.advance(30_000)
        assert await authenticator.tenant_of(header) == TENANT
        # Whom nobody knows yet hears that he shall try again, not that his token is bad.
        assert await refused(authenticator, other) is Code.UNAVAILABLE
        clock.advance(auth.STALE_MS)
        assert await refused(authenticator, header) is Code.UNAVAILABLE
    assert await authenticator.tenant_of(header) == TENANT
