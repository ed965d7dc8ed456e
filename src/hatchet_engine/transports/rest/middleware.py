"""What concerns every request: security headers, other sites, bodies that are too large, NULs.

Plain ASGI rather than Starlette's base class, which costs a task and two queues per request.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hatchet_engine.transports.rest.errors import refusal

SECURITY_HEADERS = {
    "strict-transport-security": "max-age=776000; includeSubDomains; preload",
    "content-security-policy": "default-src 'self'; script-src 'self'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'self'; "
    "object-src 'none'",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_METHODS = "GET,POST,PUT,PATCH,DELETE,OPTIONS"
_HEADERS_DEFAULT = "Origin, Content-Type, Authorization, x-exchange-token"


class Guard:
    """Outermost layer of the app."""

    def __init__(
        self, app: ASGIApp, *, body_bytes_max: int, allowed_origins: Sequence[str]
    ) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._origins = tuple(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._decorate(message, origin)
            await send(message)

        early = self._early(scope, headers)
        if early is not None:
            await early(scope, receive, send_with_headers)
            return
        await self._app(scope, _Bounded(receive, self._body_bytes_max), send_with_headers)

    def _early(self, scope: Scope, headers: Headers) -> Response | None:
        """An answer that needs no handler, or None."""
        if scope["method"] == "OPTIONS":
            return self._preflight(headers)
        if b"%00" in scope["query_string"] or "\x00" in scope["path"]:
            return refusal("the address holds a null character (%00), which can't be stored", 400)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._body_bytes_max:
            return refusal(_too_large_text(self._body_bytes_max), 413)
        return None

    def _preflight(self, headers: Headers) -> Response:
        origin = headers.get("origin")
        if self._origins and origin is not None and not self._allows(origin):
            return refusal(f"origin {origin} is not allowed", 403)
        asked = headers.get("access-control-request-headers", _HEADERS_DEFAULT)
        return Response(
            headers={
                "access-control-allow-methods": _METHODS,
                "access-control-allow-headers": asked,
            }
        )

    def _allows(self, origin: str) -> bool:
        return any(fnmatchcase(origin, pattern) for pattern in self._origins)

    def _decorate(self, message: Message, origin: str | None) -> None:
        message["headers"] = [*message.get("headers", ()), *_SECURITY]
        if not self._origins:
            message["headers"].append((b"access-control-allow-origin", b"*"))
        elif origin is not None and self._allows(origin):
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("Origin")


def _too_large_text(most: int) -> str:
    return f"the request body is larger than {most} bytes"


class _Bounded:
    """Counts what a body without a length brings."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = self._left = most

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise HTTPException(413, _too_large_text(self._most))
        return message
