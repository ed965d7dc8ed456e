"""A small client for the REST API: paths in, JSON out, problems explained."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from hatchet_cli.connection import Connection, find_connection
from hatchet_cli.output import CommandError

REQUEST_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0


class Api:
    """Calls of one command; use it in a `with` block."""

    def __init__(self, connection: Connection | None = None) -> None:
        self.connection = connection or find_connection()
        verify: ssl.SSLContext | bool = True
        if self.connection.root_ca_file:
            verify = ssl.create_default_context(cafile=self.connection.root_ca_file)
        self._client = httpx.Client(
            base_url=self.connection.server_url,
            headers={"Authorization": f"Bearer {self.connection.token}"},
            timeout=httpx.Timeout(REQUEST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            verify=verify,
        )

    @property
    def tenant(self) -> str:
        """Path of the tenant in the older family of paths."""
        return f"/api/v1/tenants/{self.connection.tenant_id}"

    @property
    def stable_tenant(self) -> str:
        """Path of the tenant in the newer family of paths."""
        return f"/api/v1/stable/tenants/{self.connection.tenant_id}"

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON at `path`."""
        present = {key: value for key, value in (query or {}).items() if value is not None}
        return self._call("GET", path, params=present)

    def post(self, path: str, body: object) -> Any:
        """The JSON answer to `body`."""
        return self._call("POST", path, json=body)

    def put(self, path: str, body: object) -> Any:
        """The JSON answer to what is put, or None."""
        return self._call("PUT", path, json=body)

    def patch(self, path: str, body: object) -> Any:
        """The JSON answer to a change, or None."""
        return self._call("PATCH", path, json=body)

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer to a deletion, or None."""
        return self._call("DELETE", path, params=query)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def _call(self, method: str, path: str, **options: Any) -> Any:
        where = f"{self.connection.server_url} (from {self.connection.source})"
        try:
            response = self._client.request(method, path, **options)
        except httpx.ConnectError as error:
            raise CommandError(
                f"no server answers at {where}: {error}", hint="start it with `hatchet server`"
            ) from error
        except httpx.TimeoutException as error:
            raise CommandError(f"{where} did not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CommandError(f"cannot talk to {where}: {error}") from error
        if _refuses_token(response):
            raise CommandError(
                f"{where} refuses the token: {_reason(response)}",
                hint="make a new one with `hatchet token create`",
            )
        if response.is_error:
            raise CommandError(f"{_reason(response)} (HTTP {response.status_code})")
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise CommandError(f"{where} does not answer like a Hatchet server") from error


def _refuses_token(response: httpx.Response) -> bool:
    """403 also stands for what nobody may do, such as deleting what a program has scheduled."""
    if response.status_code not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return False
    reason = _reason(response).lower()
    return "token" in reason or "credentials" in reason


def _reason(response: httpx.Response) -> str:
    """The text of an error answer, in any of the forms that servers use."""
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase or "error"
    if isinstance(body, dict):
        problems = body.get("errors")
        if isinstance(problems, list) and problems:
            return "; ".join(str(p.get("description", p)) for p in problems if isinstance(p, dict))
        for key in ("description", "message"):
            if body.get(key):
                return str(body[key])
    return json.dumps(body)
