"""Parts of the official API that this engine doesn't offer yet: a clear 501 instead of a 404.

Clients repeat calls that got a 404; and whoever reads "not offered yet" knows what to do.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hatchet_engine.transports.rest.errors import refusal

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_T = "/api/v1/tenants/{tenant}"
_S = "/api/v1/stable/tenants/{tenant}"

# Paths by what they are about; {rest:path} takes everything below.
_ABSENT = {
    "webhooks": [f"{_S}/webhooks", f"{_S}/webhooks/{{rest:path}}"],
    "traces": [f"{_S}/traces"],
    "durable tasks": [f"{_S}/durable-tasks/{{rest:path}}"],
    "stream topics": [f"{_S}/streams/topics", f"{_S}/streams/payloads"],
    "serverless endpoints": [
        f"{_S}/serverless/{{rest:path}}",
        "/api/v1/stable/serverless/{rest:path}",
    ],
    "users": ["/api/v1/users/{rest:path}"],
    "members and invites": [
        f"{_T}/members",
        f"{_T}/members/{{rest:path}}",
        f"{_T}/invites",
        f"{_T}/invites/{{rest:path}}",
    ],
    "API tokens over REST (use `hatchet token`)": [
        f"{_T}/api-tokens",
        "/api/v1/api-tokens/{rest:path}",
    ],
    "tenant settings": [
        "/api/v1/tenants",
        f"{_T}/resource-policy",
        f"{_T}/entitlements",
    ],
    "alerting": [
        f"{_T}/alerting/{{rest:path}}",
        f"{_T}/alerting-email-groups",
        "/api/v1/alerting-email-groups/{rest:path}",
    ],
    "integrations": [
        f"{_T}/slack",
        f"{_T}/slack/{{rest:path}}",
        "/api/v1/slack/{rest:path}",
        f"{_T}/sns",
        "/api/v1/sns/{rest:path}",
    ],
}


def _add(what: str, path: str) -> None:
    async def absent(request: Request) -> Response:
        return refusal(f"{what}: not offered by this engine yet", 501)

    router.add_api_route(path, absent, methods=_METHODS)


for _what, _paths in _ABSENT.items():
    for _path in _paths:
        _add(_what, _path)

# Changing a tenant shares its path with reading one.
router.add_api_route(
    _T,
    lambda: refusal("tenant settings: not offered by this engine yet", 501),
    methods=["PATCH", "PUT"],
)
