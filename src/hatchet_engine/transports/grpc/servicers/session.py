"""Service hatchet.session.v1.Session: one stream for everything a process of our SDK does."""

from __future__ import annotations

from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.session_stream import SessionStream


async def connect(caller: Caller, stream: Stream) -> None:
    await SessionStream(caller, stream).serve()
