"""The tenant and the server itself."""

from __future__ import annotations

from enum import StrEnum

from hatchet_engine.transports.rest.schemas.common import APIResourceMeta, Schema


class TenantVersion(StrEnum):
    V0 = "V0"
    V1 = "V1"


class Tenant(Schema):
    metadata: APIResourceMeta
    name: str
    slug: str
    analytics_opt_out: bool | None = None
    alert_member_emails: bool | None = None
    version: TenantVersion
    server_url: str | None = None


class APIMetaAuth(Schema):
    schemes: list[str]


class APIMeta(Schema):
    auth: APIMetaAuth
    allow_signup: bool
    allow_invites: bool
    allow_create_tenant: bool
    allow_change_password: bool
    observability_enabled: bool
    prometheus_server_enabled: bool


class Version(Schema):
    """``version``: the official one, by which clients know features; ``package``: our own."""

    version: str
    package: str


class FeatureFlagEvaluationResult(Schema):
    is_enabled: bool
