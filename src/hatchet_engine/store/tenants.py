"""Tenants, and the settings of the installation."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain.errors import not_found
from hatchet_engine.store.sql import load

_SQL = load("tenants")

DEFAULT_TENANT = UUID("707d0855-80ab-4e1f-a156-f1c4546cbf52")  # TE-1
DEFAULT_SLUG = "default"


async def ensure_default_tenant(connection: asyncpg.Connection, now: datetime) -> None:
    """The tenant every installation begins with; harmless to repeat."""
    await connection.execute(
        _SQL["tenant_insert_default"], DEFAULT_TENANT, DEFAULT_SLUG, "Default", now
    )


async def find_tenant(connection: asyncpg.Connection, tenant: str | None) -> UUID:
    """A tenant by id or slug; None is the default one. Raises ``Refused`` NOT_FOUND."""
    if tenant is None:
        return DEFAULT_TENANT
    try:
        id: UUID | None = UUID(tenant)
    except ValueError:
        id = None
    found: UUID | None = await connection.fetchval(_SQL["tenant_find"], id, tenant)
    if found is None:
        raise not_found(f"there is no tenant {tenant!r}: give its id or its slug")
    return found


async def setting(connection: asyncpg.Connection, name: str) -> str | None:
    """A setting of the installation, as JSON text."""
    value: str | None = await connection.fetchval(_SQL["setting_get"], name)
    return value


async def setting_once(connection: asyncpg.Connection, name: str, value: str) -> str:
    """Store a setting unless it is there; returns what is there. Safe on several nodes at once."""
    await connection.execute(_SQL["setting_insert"], name, value)
    stored = await setting(connection, name)
    assert stored is not None
    return stored
