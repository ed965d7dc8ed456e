"""What a servicer gets besides the message: who calls, the engine, and, for streams, the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from hatchet_engine.domain.errors import Refused
from hatchet_engine.transports.engine_api import EngineApi
from hatchet_engine.transports.grpc.settings import WireLimits


class Session(Protocol):
    def supersede(self) -> None:
        """A newer stream of the same client is there: look at nothing more of this one."""
        ...


Sessions = dict[tuple[UUID, bytes], Session]  # open streams of our SDK, by tenant and instance


class Caller:
    """A tenant's view of the engine; one object per tenant, shared by its calls."""

    __slots__ = ("engine", "limits", "sessions", "tenant_id", "tenant_text")

    def __init__(
        self, tenant_id: UUID, engine: EngineApi, limits: WireLimits, sessions: Sessions
    ) -> None:
        self.tenant_id = tenant_id
        self.tenant_text = str(tenant_id)
        self.engine = engine
        self.limits = limits
        self.sessions = sessions


class Ending:
    """Tells a stream's handler to finish; the handler then returns, which ends the stream.

    Handlers are never cancelled: gRPC sends no status then, and the client hangs (C6.3).
    ``error`` None ends with OK, so that SDKs reconnect.
    """

    __slots__ = ("_callback", "error", "over")

    def __init__(self) -> None:
        self.over = False
        self.error: Refused | None = None
        self._callback: Callable[[], None] | None = None

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call this when the stream shall end; at once if it shall already."""
        self._callback = callback
        if self.over:
            callback()

    def end(self, error: Refused | None = None) -> None:
        """Ask for the end; the first one counts. Never raises."""
        if self.over:
            return
        self.over = True
        self.error = error
        if self._callback is not None:
            self._callback()


class Stream(Protocol):
    """One streaming call, as bytes of whole messages."""

    @property
    def ending(self) -> Ending: ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the client sent beside its messages; names in lower case."""
        ...

    async def send(self, message: bytes) -> None:
        """Returns when the message is on its way: the network's back-pressure ends here."""
        ...

    async def receive(self) -> bytes | None:
        """The next message; None when the client has finished sending."""
        ...
