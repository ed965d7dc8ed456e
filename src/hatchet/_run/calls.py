"""Rare calls of the official protocol, repeated while the engine cannot be reached."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hatchet._run.failures import in_doubt, pauses, unavailable
from hatchet.exceptions import HatchetCallError

if TYPE_CHECKING:
    from hatchet.config import ClientConfig

CALL_TIMEOUT_S = 30.0


async def unary(
    config: "ClientConfig",
    open_channel: Callable[[], Any],
    drop_channel: Callable[[], Awaitable[None]],
    path: str,
    request: Any,
    timeout_s: float | None,
    once: bool,
) -> Any:
    """The answer to one call. `once`: it must not be done twice.

    Raises `HatchetCallError` if the engine refuses, `EngineUnavailableError` if it cannot be
    reached, and with `once` `TriggerOutcomeUnknownError` if it may have done what was asked.
    """
    from hatchet._wire import channel as wire

    give_up = time.monotonic() + (CALL_TIMEOUT_S if timeout_s is None else timeout_s)
    waits = pauses()
    while True:
        rest = max(give_up - time.monotonic(), 0.001)
        try:
            return await wire.unary(open_channel(), config.token, path, request, rest)
        except (Exception, asyncio.CancelledError) as error:
            failure = wire.failure(error)
            if failure is None:
                raise
            if once and failure.in_doubt:
                raise in_doubt(config.host_port, failure) from None
            pause = next(waits)
            if failure.code == "DEADLINE_EXCEEDED":
                raise unavailable(config.host_port, "no answer in time") from None
            if failure.code != "UNAVAILABLE":
                raise HatchetCallError(failure.code, failure.message) from None
            if time.monotonic() + pause > give_up:
                raise unavailable(config.host_port, failure.message) from None
            await drop_channel()
            await asyncio.sleep(pause)
