"""How REST calls fail: by status, or on the way."""

import json

__all__ = [
    "ApiException",
    "BadRequestException",
    "ConflictException",
    "ForbiddenException",
    "NotFoundException",
    "OpenApiException",
    "RestConnectionError",
    "RestProtocolError",
    "RestTLSError",
    "RestTimeoutError",
    "RestTransportError",
    "ServiceException",
    "TooManyRequestsException",
    "UnauthorizedException",
    "UnprocessableEntityException",
]


class OpenApiException(Exception):
    """Base of all failures of the REST API."""


class ApiException(OpenApiException):
    """The server answered with an error. `status`, `reason`, `body` and `headers` tell it."""

    def __init__(
        self,
        status: int | None = None,
        reason: str | None = None,
        body: str | None = None,
        data: object = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"({status}) {reason}: {_describe(body)}")
        self.status = status
        self.reason = reason
        self.body = body
        self.data = data
        self.headers = headers or {}

    @staticmethod
    def from_response(
        status: int, reason: str, content: bytes, headers: dict[str, str]
    ) -> "ApiException":
        kind = _BY_STATUS.get(status)
        if kind is None:
            kind = ServiceException if status >= 500 else ApiException
        return kind(status, reason, content.decode(errors="replace"), None, headers)


class BadRequestException(ApiException):
    """400"""


class UnauthorizedException(ApiException):
    """401"""


class ForbiddenException(ApiException):
    """403"""


class NotFoundException(ApiException):
    """404"""


class ConflictException(ApiException):
    """409"""


class UnprocessableEntityException(ApiException):
    """422"""


class TooManyRequestsException(ApiException):
    """429"""


class ServiceException(ApiException):
    """5xx"""


_BY_STATUS: dict[int, type[ApiException]] = {
    400: BadRequestException,
    401: UnauthorizedException,
    403: ForbiddenException,
    404: NotFoundException,
    409: ConflictException,
    422: UnprocessableEntityException,
    429: TooManyRequestsException,
}


class RestTransportError(OpenApiException):
    """The request did not reach the server, or its answer did not come back."""

    def __init__(self, message: str, http_method: str | None = None) -> None:
        super().__init__(message)
        self.http_method = http_method


class RestTimeoutError(RestTransportError):
    """No answer in time (30 s)."""


class RestConnectionError(RestTransportError):
    """The server cannot be reached."""


class RestTLSError(RestTransportError):
    """The TLS handshake failed."""


class RestProtocolError(RestTransportError):
    """The answer was no HTTP."""


def _describe(body: str | None) -> str:
    """The texts of an error body, or the body itself."""
    if not body:
        return ""
    try:
        value = json.loads(body)
    except ValueError:
        return body[:500]
    if not isinstance(value, dict):
        return body[:500]
    errors = value.get("errors")
    if isinstance(errors, list):
        texts = [str(e.get("description", e)) if isinstance(e, dict) else str(e) for e in errors]
        return "; ".join(texts)
    return str(value.get("description") or value.get("message") or body[:500])
