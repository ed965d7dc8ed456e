"""The tenant and the server itself: health, versions, what it offers."""

from __future__ import annotations

import asyncio
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.observe import tenants
from hatchet_engine.transports.rest.codecs.common import meta
from hatchet_engine.transports.rest.errors import not_found, refusal
from hatchet_engine.transports.rest.responses import answer, raw_answer
from hatchet_engine.transports.rest.schemas.instance import (
    APIMeta,
    APIMetaAuth,
    FeatureFlagEvaluationResult,
    Tenant,
    TenantVersion,
    Version,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant, Services, Shared
from hatchet_engine.transports.rest.versions import OFFICIAL_VERSION, package_version

HEALTH_TIMEOUT_S = 5.0

router = APIRouter(tags=["instance"])
_TENANT = "/api/v1/tenants/{tenant}"


@router.head("/api/ready", include_in_schema=False)
@router.get("/api/ready", operation_id="readiness:get", response_class=Response)
async def ready(shared: Shared) -> Response:
    """200 without a body when commands are taken and the database answers, else 500."""
    if not shared.engine.ready:
        return refusal("the engine is not ready to take commands yet", 500)
    return await _health(shared)


@router.head("/api/live", include_in_schema=False)
@router.get("/api/live", operation_id="liveness:get", response_class=Response)
async def live(shared: Shared) -> Response:
    """200 without a body when the database answers, else 500."""
    return await _health(shared)


@router.get("/api/v1/version", operation_id="info:get:version", response_model=Version)
async def version_get() -> Response:
    return answer(Version(version=OFFICIAL_VERSION, package=package_version()))


@router.get("/api/v1/meta", operation_id="metadata:get", response_model=APIMeta)
async def meta_get() -> Response:
    """What this server offers. There are no users yet, hence nothing to log in with."""
    return answer(
        APIMeta(
            auth=APIMetaAuth(schemes=[]),
            allow_signup=False,
            allow_invites=False,
            allow_create_tenant=False,
            allow_change_password=False,
            observability_enabled=False,
            prometheus_server_enabled=True,
        )
    )


@router.get("/api/v1/cloud/metadata", operation_id="cloudMetadata:get")
async def cloud_metadata_get() -> Response:
    """Tells clients that this isn't the cloud: an error, with status 200."""
    return refusal("oss", 200)


@router.get("/api/v1/meta/integrations", operation_id="metadata:list:integrations")
async def integrations_list(scope: Caller) -> Response:
    return raw_answer("[]")


@router.get(_TENANT, operation_id="tenant:get", response_model=Tenant)
async def tenant_get(scope: InTenant) -> Response:
    """The tenant that the token speaks for."""
    row = await tenants.tenant_get(scope.engine.read_pool, scope.tenant_id)
    if row is None:
        raise not_found(f"tenant {scope.tenant_id}")
    return answer(
        Tenant(
            metadata=meta(row.id, row.created_at, row.updated_at),
            name=row.name,
            slug=row.slug,
            analytics_opt_out=True,
            alert_member_emails=False,
            version=TenantVersion.V1,
            server_url=scope.settings.server_url,
        )
    )


@router.get(
    f"{_TENANT}/feature-flags",
    operation_id="tenant:feature-flag:evaluate",
    response_model=FeatureFlagEvaluationResult,
)
async def feature_flag(
    scope: InTenant,
    flag: Annotated[str, Query(alias="featureFlagId")],
    enabled: Annotated[bool, Query(alias="isEnabledIfNoPosthog")],
) -> Response:
    """Flags are evaluated nowhere, so each has the value that the caller gives for that case."""
    return answer(FeatureFlagEvaluationResult(is_enabled=enabled))


@router.get(f"{_TENANT}/queue-metrics", include_in_schema=False)
@router.get(f"{_TENANT}/workflows/runs", include_in_schema=False)
@router.get(f"{_TENANT}/workflow-runs/{{run}}/shape", include_in_schema=False)
@router.post(f"{_TENANT}/webhook-workers", include_in_schema=False)
async def deprecated(scope: InTenant) -> Response:
    raise Refused(Code.INVALID_ARGUMENT, "this endpoint is deprecated")


async def _health(shared: Services) -> Response:
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            await shared.engine.read_pool.fetchval("select 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return refusal("the database does not answer", 500)
    return Response()
