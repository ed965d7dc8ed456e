"""How calls and connections fail: error texts that say what to do, and pauses between attempts."""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hatchet.exceptions import (
    DedupeViolationError,
    EngineUnavailableError,
    HatchetCallError,
    TriggerOutcomeUnknownError,
)

if TYPE_CHECKING:
    from hatchet._wire.channel import CallFailure

BACKOFF_FIRST_S = 0.05
BACKOFF_LAST_S = 2.0
# Trying again does not help before somebody changes something.
REFUSALS = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "UNIMPLEMENTED"})


def pauses() -> Iterator[float]:
    """Growing pauses with jitter, in seconds, without end."""
    pause = BACKOFF_FIRST_S
    while True:
        yield pause * random.uniform(0.5, 1.5)
        pause = min(pause * 2, BACKOFF_LAST_S)


def as_failure(error: Exception) -> "CallFailure":
    """A defect of ours, in the form of a call that failed."""
    from hatchet._wire.channel import CallFailure

    return CallFailure("UNKNOWN", f"{type(error).__name__}: {error}")


def call_error(code: int, message: str) -> Exception:
    """The exception for an error that the engine sent."""
    from hatchet._wire.channel import status_name

    name = status_name(code)
    if name == "ALREADY_EXISTS":
        return DedupeViolationError(message)
    return HatchetCallError(name, message)


def unavailable(host_port: str, reason: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"cannot reach the Hatchet engine at {host_port} ({reason or 'no answer'}). Is it "
        "running? `hatchet server` starts one; HATCHET_CLIENT_HOST_PORT and "
        "HATCHET_CLIENT_TLS_STRATEGY say where and how to connect."
    )


def in_doubt(host_port: str, failure: "CallFailure") -> TriggerOutcomeUnknownError:
    """The error for a call that was sent and not answered."""
    return TriggerOutcomeUnknownError(
        f"{host_port} did not answer ({failure.message or failure.code}): what was asked may or "
        "may not have been done. Look before you try again."
    )


def never_answered(host_port: str, reason: str) -> TriggerOutcomeUnknownError:
    """The error for a trigger that was written, and could not be sent again in time."""
    return TriggerOutcomeUnknownError(
        f"the connection to {host_port} broke before the trigger was answered, and was not there "
        f"again in time ({reason}): its runs may or may not exist. Look for them before you "
        "trigger again."
    )


def too_large(size: int, limit: int) -> ValueError:
    """The error for a trigger that does not fit into a frame."""
    return ValueError(
        f"the trigger takes {size:,} bytes; the engine accepts at most {limit:,} in one frame. "
        "Store large data elsewhere and pass a reference."
    )


def refusal(failure: "CallFailure", host_port: str) -> HatchetCallError:
    """The exception for a stream that the server does not want."""
    if failure.code == "UNIMPLEMENTED":
        text = (
            f"the server at {host_port} does not speak the session protocol of this SDK: "
            "it is no `hatchet server`, or an older one"
        )
    elif failure.code == "UNAUTHENTICATED":
        text = f"{host_port} refused the token: {failure.message}. Try `hatchet token create`."
    else:
        text = f"{host_port} refused the connection: {failure.message}"
    return HatchetCallError(failure.code, text)
