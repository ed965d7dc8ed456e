"""What the REST server must be told; the server's own settings fill this in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BODY_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RestSettings:
    """``server_url``: under which clients reach this server, without a slash at the end.
    ``allowed_origins``: for browsers on other sites; empty: all of them."""

    server_url: str
    body_bytes_max: int = BODY_BYTES_MAX
    allowed_origins: Sequence[str] = ()
