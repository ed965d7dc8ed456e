"""The worker's health server: `GET /health` and `GET /metrics`, on the standard library.

It lives on the I/O thread, so it answers also while user code blocks the event loop.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson

from hatchet._run.io_thread import io_thread
from hatchet._run.logs import sdk_logger

if TYPE_CHECKING:
    from hatchet._run.executor import Executor
    from hatchet.config import HealthcheckConfig
    from hatchet.worker.worker import Worker

PROBE_WAIT_S = 0.1
REQUEST_TIMEOUT_S = 5.0
LONGEST_LINE_BYTES = 8192


class HealthServer:
    """An async context manager; a port that is taken is logged, and the worker goes on."""

    def __init__(self, worker: "Worker", executor: "Executor", config: "HealthcheckConfig") -> None:
        self._worker = worker
        self._executor = executor
        self._config = config
        self._server: asyncio.Server | None = None
        self._probe_sent = 0.0  # 0: none is on its way
        self._lag_s = 0.0
        self.port: int | None = None

    async def __aenter__(self) -> "HealthServer":
        await asyncio.wrap_future(io_thread().submit(self._open()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.wrap_future(io_thread().submit(self._close()))

    async def _open(self) -> None:
        try:
            self._server = await asyncio.start_server(
                self._serve, self._config.bind_address, self._config.port, limit=LONGEST_LINE_BYTES
            )
            self.port = self._server.sockets[0].getsockname()[1]
        except OSError as error:
            sdk_logger.error("no health server on port %d: %s", self._config.port, error)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await reader.readline()
                while (await reader.readline()).strip():
                    pass
                parts = request.split()
                target = parts[1].partition(b"?")[0] if len(parts) > 1 else b""
                status, kind, body = await self._answer(target)
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, target: bytes) -> tuple[str, str, bytes]:
        if target == b"/health":
            status = await self._status()
            body = orjson.dumps({"status": status, "slots": self._slots()})
            line = "200 OK" if status == "HEALTHY" else "503 Service Unavailable"
            return line, "application/json", body
        if target == b"/metrics":
            return "200 OK", "text/plain; version=0.0.4; charset=utf-8", await self._metrics()
        return "404 Not Found", "text/plain", b"GET /health or /metrics\n"

    async def _status(self) -> str:
        await self._probe()
        name = self._worker.status.name
        if name in ("INITIALIZED", "STARTING"):
            return "STARTING"
        if self._lag_s > self._config.event_loop_block_threshold_seconds.total_seconds():
            return "UNHEALTHY"
        return name

    async def _probe(self) -> None:
        """Measure how late the user's loop is. A probe is only sent when somebody asks."""
        loop = self._executor.loop
        if loop is None:
            return
        if self._probe_sent == 0.0:
            self._probe_sent = time.monotonic()
            io_loop = asyncio.get_running_loop()
            answered = asyncio.Event()

            def back() -> None:
                self._lag_s, self._probe_sent = time.monotonic() - self._probe_sent, 0.0
                io_loop.call_soon_threadsafe(answered.set)

            loop.call_soon_threadsafe(back)
            try:
                async with asyncio.timeout(PROBE_WAIT_S):
                    await answered.wait()
            except TimeoutError:
                pass
        if self._probe_sent:
            self._lag_s = time.monotonic() - self._probe_sent

    def _slots(self) -> dict[str, dict[str, int]]:
        used = dict.fromkeys(self._executor.data.slots, 0)
        running = list(self._executor.running.values())
        served = {attempt.batch or attempt: attempt for attempt in running}  # a batch has one slot
        for attempt in served.values():
            for pool, units in attempt.task.slot_requests.items():
                used[pool] = used.get(pool, 0) + units
        limits = self._executor.data.slots
        return {pool: {"used": n, "limit": limits.get(pool, 0)} for pool, n in used.items()}

    async def _metrics(self) -> bytes:
        healthy = await self._status() == "HEALTHY"
        lines: list[tuple[str, str, dict[str, Any]]] = [
            ("listener_health", "1 if connected to the engine", {"": int(healthy)}),
            ("event_loop_lag_seconds", "How late the event loop is", {"": round(self._lag_s, 6)}),
        ]
        dropped = self._executor.chunks_dropped
        lines.append(("stream_chunks_dropped", "Chunks that found no room", {"": dropped}))
        slots = self._slots()
        for name, key in (("used_slots", "used"), ("slot_limit", "limit")):
            values = {f'{{slot_pool="{pool}"}}': counts[key] for pool, counts in slots.items()}
            lines.append((name, "Slots by pool", values))
        text = "".join(
            f"# HELP hatchet_worker_{name} {about}\n# TYPE hatchet_worker_{name} gauge\n"
            + "".join(f"hatchet_worker_{name}{label} {value}\n" for label, value in values.items())
            for name, about, values in lines
        )
        return text.encode()
