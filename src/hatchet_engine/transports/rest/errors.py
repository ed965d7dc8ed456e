"""Every error of the REST API has one shape: ``{"errors": [{"description", "field"?}]}``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hatchet_engine.domain.errors import Code, KeyCollision, Refused
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.common import APIError, APIErrors

_log = logging.getLogger(__name__)

# 403 stands for "not authenticated" in this API; 401 for "authenticated but not allowed".
_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 401,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 403,
}
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it broke off in the middle of an operation
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    TimeoutError,
)
# A body that was not read as JSON, or is no object.
_NOT_AN_OBJECT = {"model_attributes_type", "model_type", "dict_type", "missing"}
PROBLEMS_SHOWN_MAX = 20
UNAUTHENTICATED_TEXT = "Please provide valid credentials"
MISSING_CREDENTIALS_TEXT = "no API token: send it in a header, `Authorization: Bearer ...`"


def refusal(description: str, status: int = 400, field: str | None = None) -> Response:
    """An answer with one error."""
    # Texts may quote what a client sent, and that may be no valid Unicode.
    description = description.encode("utf-8", "replace").decode()
    error = APIError(description=description, field=field)
    return answer(APIErrors(errors=[error]), status)


def not_found(what: str) -> Refused:
    return Refused(Code.NOT_FOUND, f"{what}: not found")


def install(app: FastAPI) -> None:
    """Make the app answer all errors in this shape."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in _AWAY:
        app.add_exception_handler(kind, _database_away)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    message = error.message
    if isinstance(error, KeyCollision):
        message += ": held by run " + ", ".join(map(str, error.holders.values()))
    return refusal(message, _STATUS[error.code], error.field)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = _problems(error.errors()[:PROBLEMS_SHOWN_MAX])
    return answer(APIErrors(errors=problems), 400)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return refusal(f"there is no {request.method} {request.url.path} here", 404)
    if error.status_code == 405:
        response = refusal(f"{request.url.path} does not take {request.method}", 405)
        response.headers.update(error.headers or {})
        return response
    return refusal(str(error.detail), error.status_code)


async def _database_away(request: Request, error: Exception) -> Response:
    _log.warning("%s %s: database: %r", request.method, request.url.path, error)
    return refusal("the database can't be reached at the moment; try again", 503)


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal("Internal Server Error", 500)


def _problems(errors: Sequence[Any]) -> list[APIError]:
    problems = []
    for error in errors:
        where, *path = error["loc"] or ("request",)
        name = ".".join(str(part) for part in path)
        text = str(error["msg"]).removeprefix("Value error, ")
        if where in ("query", "path", "header"):
            name = str(path[0]) if path else where
            description = f"Invalid format for parameter {name}: {text}"
        elif error["type"] in _NOT_AN_OBJECT and not name:
            description = "the request body must be a JSON object, sent as application/json"
        elif error["type"] == "json_invalid":
            name, description = "", f"the request body is not valid JSON: {text}"
        else:
            description = f"{name}: {text}" if name else f"the request body: {text}"
        description = description.encode("utf-8", "replace").decode()
        problems.append(APIError(description=description, field=name.lower() or None))
    return problems
