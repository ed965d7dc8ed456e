"""Who calls, and for which tenant.

A bearer token speaks for one tenant. Paths with a tenant must name that one (403 otherwise, as for
a bad token: strangers shall not learn what exists). Paths with another id are looked up among the
caller's own things only, so ids of other tenants are not found (404).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.transports.rest.engine_api import Authenticator, EngineApi
from hatchet_engine.transports.rest.errors import MISSING_CREDENTIALS_TEXT, UNAUTHENTICATED_TEXT
from hatchet_engine.transports.rest.settings import RestSettings


@dataclass(frozen=True, slots=True)
class Services:
    """What all handlers share; ``create_app`` keeps it in the app's state."""

    engine: EngineApi
    settings: RestSettings
    authenticator: Authenticator


@dataclass(frozen=True, slots=True)
class Scope:
    tenant_id: UUID
    engine: EngineApi
    settings: RestSettings


def services(request: Request) -> Services:
    return cast("Services", request.app.state.services)


async def caller(request: Request) -> Scope:
    """The scope of the token in the Authorization header."""
    shared = services(request)
    if not request.headers.get("authorization"):
        raise Refused(Code.UNAUTHENTICATED, MISSING_CREDENTIALS_TEXT)
    found = shared.authenticator.tenant_of(request.headers.get("authorization"))
    tenant_id: UUID = await found if inspect.isawaitable(found) else found
    return Scope(tenant_id, shared.engine, shared.settings)


async def tenant_in_path(tenant: UUID, scope: Annotated[Scope, Depends(caller)]) -> Scope:
    """The caller's scope, when the path names the caller's tenant."""
    if tenant != scope.tenant_id:
        raise Refused(Code.UNAUTHENTICATED, UNAUTHENTICATED_TEXT)
    return scope


Shared = Annotated[Services, Depends(services)]
Caller = Annotated[Scope, Depends(caller)]
InTenant = Annotated[Scope, Depends(tenant_in_path)]
