"""The lane of user logs: lines go in without waiting, and to Postgres in batches.

Logs stay outside of the turn, so that a chatty task never slows tasks down: a bounded queue, one
connection of its own, COPY. When lines come faster than Postgres takes them the newest are dropped
and counted. The lane commits without waiting for the disk: a crash of the machine may cost the last
moments of logs, never a result.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.ids import IdSource
from hatchet_engine.domain.payloads import has_nul_escape
from hatchet_engine.observe.times import from_ms

QUEUE_LINES_MAX = 100_000
QUEUE_CHARS_MAX = 64 * 1024 * 1024
MESSAGE_CHARS_MAX = 1024 * 1024
FLUSH_LINES_MAX = 5_000
GATHER_S = 0.02  # a first line waits so long for company
RETRY_S_MIN = 0.1
RETRY_S_MAX = 5.0
SURPRISES_MAX = 3  # tries of a batch that fails for a reason other than the connection
STOP_TIMEOUT_S = 5.0
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
_ALIASES = {"WARNING": "WARN", "CRITICAL": "ERROR", "FATAL": "ERROR", "TRACE": "DEBUG"}

_COLUMNS = ["tenant_id", "id", "task_id", "attempt", "at", "level", "message", "metadata"]
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
# Data that Postgres, or before it the client library's encoder, does not take.
_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    ValueError,
    TypeError,
    ArithmeticError,
    AttributeError,
)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LogLine:
    task_id: UUID
    attempt: int
    at_ms: int  # the worker's clock
    level: str  # one of LEVELS; anything else is stored as INFO
    message: str
    metadata: str = ""  # JSON object text, "" = none; anything else is dropped


@dataclass(slots=True)
class _Entry:
    tenant_id: UUID
    line: LogLine
    arrived_ms: int


class LogLane:
    """``put`` from the event loop, at any rate; ``start`` and ``stop`` around it.

    ``dropped`` counts lines that were not stored since the start: the queue was full, Postgres
    refused them, or the stop ran out of time.
    """

    def __init__(
        self,
        dsn: str,
        now_ms: Callable[[], int],
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.dropped = 0
        self.stored = 0
        self._dsn = dsn
        self._now_ms = now_ms
        self._ids = IdSource(random_bytes)
        self._queue: deque[_Entry] = deque()
        self._chars = 0
        self._flushing = 0  # lines taken from the queue but not yet stored
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None

    @property
    def waiting(self) -> int:
        """Lines not yet stored."""
        return len(self._queue) + self._flushing

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="log-lane")

    async def stop(self) -> None:
        """Store what is there, for at most ``STOP_TIMEOUT_S``; then close."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=STOP_TIMEOUT_S)
            if not done:
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
            self._task = None
        self.dropped += self.waiting
        self._queue.clear()
        self._chars = self._flushing = 0
        await self._disconnect()

    def put(self, tenant_id: UUID, lines: Sequence[LogLine]) -> None:
        """Take lines in their order of arrival; never blocks, never raises."""
        now_ms = self._now_ms()
        for line in lines:
            if len(line.message) > MESSAGE_CHARS_MAX:
                line.message = line.message[:MESSAGE_CHARS_MAX]
            size = len(line.message) + len(line.metadata)
            if self._stopping or (
                self.waiting >= QUEUE_LINES_MAX or self._chars + size > QUEUE_CHARS_MAX
            ):
                self.dropped += 1
                continue
            self._chars += size
            self._queue.append(_Entry(tenant_id, line, now_ms))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            if self._queue:
                await self._flush(self._take())
            elif self._stopping:
                return
            else:
                self._wake.clear()
                await self._wake.wait()
                if not self._stopping:
                    await asyncio.sleep(GATHER_S)

    async def _flush(self, batch: list[_Row]) -> None:
        """Store a batch, however long the database is away."""
        wait_s = RETRY_S_MIN
        surprises = 0
        while True:
            try:
                await self._store(batch)
                break
            except _AWAY as error:
                _log.warning("log lane: %s; %d lines wait", error, self.waiting)
            except Exception:
                # Whatever it is, it must not end the lane. (A connection that breaks inside of a
                # COPY also shows as an error of the client library's own state.)
                surprises += 1
                if surprises >= SURPRISES_MAX:
                    _log.exception("log lane: %d lines are lost", len(batch))
                    self.dropped += len(batch)
                    break
            await self._disconnect()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)
        self._flushing = 0

    def _take(self) -> list[_Row]:
        rows: list[_Row] = []
        while self._queue and len(rows) < FLUSH_LINES_MAX:
            entry = self._queue.popleft()
            self._chars -= len(entry.line.message) + len(entry.line.metadata)
            rows.append(self._row(entry))
        self._flushing = len(rows)
        return rows

    def _row(self, entry: _Entry) -> _Row:
        line = entry.line
        level = line.level.upper()
        level = _ALIASES.get(level, level)
        return (
            entry.tenant_id,
            self._ids.new(entry.arrived_ms),
            line.task_id,
            line.attempt,
            from_ms(line.at_ms),
            level if level in LEVELS else "INFO",
            storable(line.message),
            _metadata(line.metadata),
        )

    async def _store(self, rows: list[_Row]) -> None:
        """COPY all; when Postgres refuses the data, halve until the culprit stands alone."""
        connection = await self._connect()
        try:
            await connection.copy_records_to_table("task_log", records=rows, columns=_COLUMNS)
        except _REFUSED as error:
            if len(rows) == 1:
                if isinstance(error, asyncpg.UniqueViolationError):
                    return  # stored already, by a COPY whose answer was lost
                self.dropped += 1
                _log.warning("log lane: a line was refused: %s", error)
                return
            middle = len(rows) // 2
            await self._store(rows[:middle])
            await self._store(rows[middle:])
            return
        self.stored += len(rows)

    async def _connect(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._dsn,
                server_settings={
                    "application_name": "hatchet logs",
                    "synchronous_commit": "off",
                },
            )
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


_Row = tuple[UUID, UUID, UUID, int, object, str, str, str | None]


def storable(text: str) -> str:
    """Text without what Postgres can't hold: null characters and lone surrogates."""
    if text.isascii():
        return text.replace("\x00", "\ufffd") if "\x00" in text else text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _metadata(text: str) -> str | None:
    if not text or text == "{}":
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict or ("\\u0000" in text and has_nul_escape(text)):
        return None
    return text
