"""REST calls, on the standard library: connections are kept, reads are retried.

A feature client builds a `Call`; `send()` blocks, `aio()` does the same in a thread of our own,
so neither needs a twin of the other and the default executor of asyncio stays free.
"""

import asyncio
import http.client
import json
import random
import selectors
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from hatchet.clients.rest.exceptions import (
    ApiException,
    RestConnectionError,
    RestProtocolError,
    RestTimeoutError,
    RestTLSError,
    RestTransportError,
)

if TYPE_CHECKING:
    from hatchet.config import ClientConfig

T = TypeVar("T")

TIMEOUT_S = 30.0
KEPT_CONNECTIONS = 8
THREADS = 8
RESENT = frozenset({"GET", "PUT", "DELETE"})  # to do it twice is to do it once
NOT_OFFERED = 501  # by this version: trying again does not help

Query = Mapping[str, Any]


class RestClient:
    """Sends requests to the REST address of one engine. Safe for threads."""

    def __init__(self, config: "ClientConfig") -> None:
        self._config = config
        self._base = urlsplit(config.server_url)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    @property
    def tenant(self) -> str:
        return self._config.tenant_id

    def call(
        self,
        method: str,
        path: str,
        read: Callable[[bytes], T],
        query: Query | None = None,
        body: Any = None,
        retry: bool | None = None,
    ) -> "Call[T]":
        """A request ready to be sent. Reads (GET) are retried unless `retry` says otherwise.

        Ids in the path may be anything that a caller took for one: they are escaped here.
        """
        return Call(self, method, quote(path, safe="/:") + _encode(query), read, body, retry)

    @property
    def executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="hatchet-rest")
            return self._executor

    def exchange(self, method: str, target: str, body: bytes | None) -> bytes:
        """One request and its answer; a connection that broke while idle is replaced.

        One that breaks after the request was sent may have brought it there: what must not be done
        twice is an error then, and not sent again.
        """
        headers = {
            "Authorization": f"Bearer {self._config.token}",
            "Accept": "application/json",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection, fresh = self._take()
        while True:
            try:
                connection.request(method, self._base.path.rstrip("/") + target, body, headers)
                response = connection.getresponse()
                data = response.read()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
                connection.close()
                if fresh or method not in RESENT:
                    raise self._broken(method, error) from error
                connection, fresh = self._open(), True
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise self._broken(method, error) from error
        self._give_back(connection, response)
        if response.status >= 300:
            raise ApiException.from_response(
                response.status, response.reason, data, dict(response.headers)
            )
        return data

    def close(self) -> None:
        """Close idle connections. Later calls open new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
            executor, self._executor = self._executor, None
        for connection in idle:
            connection.close()
        if executor is not None:
            executor.shutdown(wait=False)

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection = self._idle.pop()
            if not _ended(connection):
                return connection, False
            connection.close()
        return self._open(), True

    def _open(self) -> http.client.HTTPConnection:
        host = self._base.hostname or "localhost"
        if self._base.scheme != "https":
            return http.client.HTTPConnection(host, self._base.port, timeout=TIMEOUT_S)
        tls = self._config.tls_config
        context = ssl.create_default_context(cafile=tls.root_ca_file)
        if tls.strategy == "mtls" and tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        return http.client.HTTPSConnection(
            host, self._base.port, timeout=TIMEOUT_S, context=context
        )

    def _give_back(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        with self._lock:
            if not response.will_close and len(self._idle) < KEPT_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _broken(self, method: str, error: Exception) -> RestTransportError:
        text = f"{method} at {self._config.server_url}: {str(error) or type(error).__name__}"
        if isinstance(error, TimeoutError):
            return RestTimeoutError(text, method)
        if isinstance(error, ssl.SSLError):
            return RestTLSError(text, method)
        if isinstance(error, OSError):
            return RestConnectionError(text + ". Is the server running?", method)
        return RestProtocolError(text, method)

    def pause_s(self, method: str, error: Exception, attempt: int) -> float | None:
        """How long to wait before the next attempt; None: do not try again."""
        policy = self._config.tenacity
        if attempt >= policy.max_attempts:
            return None
        if isinstance(error, ApiException):
            status = error.status or 0
            again = (
                (status >= 500 and status != NOT_OFFERED)
                or (status == 429 and policy.retry_429)
                or (status == 404 and policy.retry_not_found)
            )
        else:
            again = policy.retry_transport_errors and method in policy.retry_transport_methods
        return 2.0 ** (attempt - 1) + random.uniform(0, 1) if again else None


def _ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed an idle connection, or says what nobody asked for."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return bool(selector.select(0))


class Call(Generic[T]):
    """One request, not yet sent."""

    def __init__(
        self,
        client: RestClient,
        method: str,
        target: str,
        read: Callable[[bytes], T],
        body: Any,
        retry: bool | None,
    ) -> None:
        self._client = client
        self._method = method
        self._target = target
        self._read = read
        self._body = None if body is None else json.dumps(body, default=_plain).encode()
        self._retry = method == "GET" if retry is None else retry

    def send(self) -> T:
        """Send it and wait. Raises `ApiException` by status, or `RestTransportError`."""
        attempt = 1
        while True:
            try:
                return self._read(self._client.exchange(self._method, self._target, self._body))
            except (ApiException, RestTransportError) as error:
                pause_s = self._client.pause_s(self._method, error, attempt)
                if not self._retry or pause_s is None:
                    raise
            time.sleep(pause_s)  # before it tries again: the caller is not async
            attempt += 1

    async def aio(self) -> T:
        """Like `send`, from async code."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._client.executor, self.send)


def nothing(data: bytes) -> None:
    """For calls whose answer nobody reads."""


def time_text(moment: datetime) -> str:
    """A time as the API wants it. A naive time is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    text = aware.astimezone(UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"


def metadata_pairs(metadata: Mapping[str, str] | None) -> list[str] | None:
    """`key:value` texts, as list calls filter by metadata."""
    return [f"{key}:{value}" for key, value in metadata.items()] if metadata else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def _encode(query: Query | None) -> str:
    pairs: list[tuple[str, str]] = []
    for key, value in (query or {}).items():
        if value is None:
            continue
        many = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
        pairs.extend((key, _text(each)) for each in (value if many else [value]))
    return "?" + urlencode(pairs) if pairs else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return time_text(value)
    return str(value.value if isinstance(value, Enum) else value)
