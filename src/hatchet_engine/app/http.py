"""REST under uvicorn, inside the engine's event loop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

STOP_TIMEOUT_S = 3
BACKLOG = 1_024


class HttpServer:
    """Binds at once, so that a taken port is noticed before anything is announced."""

    def __init__(self, host: str, port: int) -> None:
        """Raises ``OSError`` when the port is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: Any) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._server = server
        self._task = asyncio.create_task(self._serve(server))
        while not server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()

    async def _serve(self, server: uvicorn.Server) -> None:
        # ``_serve`` is what ``serve`` calls inside its signal handling, which the command line
        # does for the whole program.
        await server._serve(sockets=[self._socket])
