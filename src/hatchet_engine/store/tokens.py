"""API tokens: JWTs signed with the installation's key, each with a row that can be revoked.

SDKs read the tenant and the addresses out of a token without verifying it (C1); the server checks
the signature, then the row. The key is made at first need and kept in the database, so that every
node, and the command line without a server, signs with the same one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.ids import IdSource
from hatchet_engine.store.sql import load
from hatchet_engine.store.tenants import find_tenant, setting, setting_once

__all__ = [
    "SigningKey",
    "Token",
    "create_token",
    "find_tenant",
    "list_tokens",
    "revoke_token",
    "signing_key",
    "token_state",
]

_SQL = load("tokens")

KEY_SETTING = "token_signing_key"
ALGORITHM = "ES256"
NAME_LENGTH_MAX = 255

_ids = IdSource(os.urandom)


@dataclass(frozen=True, slots=True)
class SigningKey:
    id: str  # the JWT header's kid
    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()


@dataclass(frozen=True, slots=True)
class Token:
    """A token as listed; its text is not kept anywhere."""

    id: UUID
    name: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


async def signing_key(connection: Any) -> SigningKey:
    """The installation's key; made when there is none yet."""
    stored = await setting(connection, KEY_SETTING)
    if stored is None:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        made = orjson.dumps({"kid": os.urandom(8).hex(), "pem": pem}).decode()
        # Another node may have been faster: what is stored counts.
        stored = await setting_once(connection, KEY_SETTING, made)
    data = orjson.loads(stored)
    key = load_pem_private_key(data["pem"].encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return SigningKey(data["kid"], key)


async def create_token(
    connection: asyncpg.Connection,
    *,
    tenant_id: UUID,
    name: str,
    expires_at: datetime,
    now: datetime,
    server_url: str,
    grpc_broadcast_address: str,
) -> str:
    """Make a token and return its text, which is shown only here.

    Raises ``Refused`` INVALID_ARGUMENT for a name that is empty or longer than 255 characters, or
    an expiry that is not in the future.
    """
    if not 0 < len(name) <= NAME_LENGTH_MAX:
        raise invalid(f"name: must have 1 to {NAME_LENGTH_MAX} characters", field="name")
    if expires_at <= now:
        raise invalid("expires: must lie in the future", field="expires")
    key = await signing_key(connection)
    token_id = _ids.new(int(now.timestamp() * 1_000))
    await connection.execute(_SQL["token_insert"], token_id, tenant_id, name, now, expires_at)
    claims: dict[str, Any] = {
        "sub": str(tenant_id),
        "iss": server_url,
        "aud": server_url,
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "token_id": str(token_id),
        "server_url": server_url,
        "grpc_broadcast_address": grpc_broadcast_address,
    }
    return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.id})


async def list_tokens(connection: asyncpg.Connection, tenant_id: UUID) -> list[Token]:
    """All tokens of a tenant, newest first."""
    rows = await connection.fetch(_SQL["token_list"], tenant_id)
    return [Token(**row) for row in rows]


async def revoke_token(
    connection: asyncpg.Connection, tenant_id: UUID, token_id: UUID, now: datetime
) -> bool:
    """Make a token useless (within 5 s on running servers). False: the tenant has no such token."""
    found = await connection.fetchval(_SQL["token_revoke"], tenant_id, token_id, now)
    return found is not None


async def token_state(
    connection: asyncpg.Connection | asyncpg.Pool, token_id: UUID
) -> asyncpg.Record | None:
    """Row with tenant_id, expires_at, revoked_at, tenant_deleted_at; None: no such token."""
    return await connection.fetchrow(_SQL["token_state"], token_id)
