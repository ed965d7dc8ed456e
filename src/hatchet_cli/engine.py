"""The one place where the command line touches the engine's database: tokens.

A command uses the database of a running server, or starts the embedded Postgres for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from hatchet._core.token import read_claims
from hatchet_cli.output import CommandError

if TYPE_CHECKING:
    from hatchet_engine.app.server import ServerInfo
    from hatchet_engine.app.settings import Settings

PROFILE_TOKEN_NAME = "local profile"  # noqa: S105 (a name, not a secret)
PROFILE_TOKEN_LIFE = timedelta(days=365)
CHECK_TIMEOUT_S = 5.0
ADDRESSES_FILE = "addresses.json"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients reach a server; both are written into tokens."""

    server_url: str
    grpc_address: str


async def create_token(
    settings: Settings,
    *,
    tenant: str | None,
    name: str,
    life: timedelta,
    addresses: Addresses | None = None,
) -> str:
    """Make a token good for `life` and return it; `addresses` default to the best known ones."""
    from hatchet_engine.store import tokens

    now = datetime.now(UTC)
    addresses = addresses or best_addresses(settings)
    async with _database(settings) as connection:
        return await tokens.create_token(
            connection,
            tenant_id=await tokens.find_tenant(connection, tenant),
            name=name,
            expires_at=now + life,
            now=now,
            server_url=addresses.server_url,
            grpc_broadcast_address=addresses.grpc_address,
        )


async def list_tokens(settings: Settings, *, tenant: str | None) -> list[dict[str, Any]]:
    """All tokens of the tenant, newest first, ready to be printed."""
    from hatchet_engine.store import tokens

    now = datetime.now(UTC)
    async with _database(settings) as connection:
        found = await tokens.list_tokens(connection, await tokens.find_tenant(connection, tenant))
    return [
        {
            "id": str(token.id),
            "name": token.name,
            "created_at": token.created_at.isoformat(timespec="seconds"),
            "expires_at": token.expires_at.isoformat(timespec="seconds"),
            "state": _state(token, now),
        }
        for token in found
    ]


async def revoke_token(settings: Settings, *, tenant: str | None, token_id: str) -> None:
    """Revoke a token; raises `CommandError` when the tenant has none with this id."""
    from uuid import UUID

    from hatchet_engine.store import tokens

    try:
        wanted = UUID(token_id)
    except ValueError as error:
        raise CommandError(
            f"{token_id!r} is no id of a token", hint="hatchet token list"
        ) from error
    async with _database(settings) as connection:
        tenant_id = await tokens.find_tenant(connection, tenant)
        if not await tokens.revoke_token(connection, tenant_id, wanted, now=datetime.now(UTC)):
            raise CommandError(f"there is no token {token_id}", hint="hatchet token list")


async def profile_token(settings: Settings, info: ServerInfo, old_token: str | None) -> str:
    """A token for the profile of this server: the old one while it is good, else a new one."""
    if old_token is not None:
        good: bool = await asyncio.to_thread(_is_accepted, info.http_url, old_token)
        if good:
            return old_token
    return await create_token(
        settings,
        tenant=None,
        name=PROFILE_TOKEN_NAME,
        life=PROFILE_TOKEN_LIFE,
        addresses=Addresses(info.http_url, info.grpc_address),
    )


def remember_addresses(settings: Settings, addresses: Addresses) -> None:
    """Note in the data directory where its server is reached, for tokens made later."""
    if settings.embedded:
        text = json.dumps(asdict(addresses), indent=2) + "\n"
        with contextlib.suppress(OSError):  # a convenience for later, no reason not to serve
            (settings.data_dir / ADDRESSES_FILE).write_text(text, encoding="utf-8")


def best_addresses(settings: Settings) -> Addresses:
    """The addresses for a new token: as set, else those of the server on the data directory that
    runs or ran last, else those that the settings lead to.
    """
    server_url = settings.public_server_url(settings.http_port)
    grpc_address = settings.public_grpc_address(settings.grpc_port)
    if settings.embedded:
        with contextlib.suppress(OSError, ValueError, TypeError):
            noted = Addresses(**json.loads((settings.data_dir / ADDRESSES_FILE).read_text()))
            server_url, grpc_address = noted.server_url, noted.grpc_address
    return Addresses(
        settings.server_url or server_url, settings.grpc_broadcast_address or grpc_address
    )


def _is_accepted(http_url: str, token: str) -> bool:
    try:
        claims = read_claims(token)
        answer = httpx.get(
            f"{http_url}/api/v1/tenants/{claims.tenant_id}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=CHECK_TIMEOUT_S,
        )
    except (ValueError, httpx.HTTPError):
        return False
    return answer.is_success


def _state(token: Any, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at <= now else "good"


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the migrated database of these settings."""
    from hatchet_engine.app.embedded import borrow

    if settings.database_url is not None:
        async with _connection(settings.database_url) as connection:
            yield connection
        return
    async with borrow(settings.data_dir) as dsn, _connection(dsn) as connection:
        yield connection


@asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    from hatchet_engine.domain.errors import Refused
    from hatchet_engine.store.migrate import migrate
    from hatchet_engine.store.tenants import ensure_default_tenant

    try:
        await migrate(dsn)
        connection = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandError(
            f"cannot open the database: {error}",
            hint="check --database-url (HATCHET_DATABASE_URL)",
        ) from error
    except Refused as error:
        raise CommandError(str(error)) from error
    try:
        await ensure_default_tenant(connection, datetime.now(UTC))
        yield connection
    except Refused as error:
        raise CommandError(str(error)) from error
    finally:
        await connection.close()
