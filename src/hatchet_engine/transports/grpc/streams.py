"""The open streams of a server: ended together at a stop, and re-checked while they last.

A token is checked when a call starts. A stream may last for weeks, so its token is looked at again
every few minutes; a revoked one ends the stream with UNAUTHENTICATED (C2).
"""

from __future__ import annotations

import asyncio

import structlog

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.transports.grpc.caller import Ending

log = structlog.get_logger("hatchet.grpc")

RECHECK_INTERVAL_S = 120.0
STOPPING = "the server is stopping: reconnect"


class OpenStreams:
    def __init__(
        self, authenticator: Authenticator, recheck_interval_s: float = RECHECK_INTERVAL_S
    ) -> None:
        self._authenticator = authenticator
        self._recheck_interval_s = recheck_interval_s
        self._open: dict[Ending, str] = {}  # to the Authorization header
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="grpc-token-recheck")

    def add(self, header: str) -> Ending:
        """Raises ``Refused`` UNAVAILABLE when the server is stopping."""
        if self._stopped:
            raise Refused(Code.UNAVAILABLE, STOPPING)
        ending = Ending()
        self._open[ending] = header
        return ending

    def remove(self, ending: Ending) -> None:
        self._open.pop(ending, None)

    async def stop(self) -> None:
        """End all streams with OK and refuse new ones."""
        self._stopped = True
        for ending in list(self._open):
            ending.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._recheck_interval_s)
            try:
                await self.recheck()
            except Exception:
                # Whatever it is, the next round may be fine; streams stay meanwhile.
                log.exception("token_recheck_failed")

    async def recheck(self) -> None:
        """Look at the tokens of all open streams once."""
        refused: dict[str, Refused] = {}
        for header in set(self._open.values()):
            try:
                await self._authenticator.tenant_of(header)
            except Refused as error:
                # UNAVAILABLE says nothing about the token.
                if error.code is Code.UNAUTHENTICATED:
                    refused[header] = error
        for ending, header in list(self._open.items()):
            if header in refused:
                ending.end(refused[header])
