"""What can go wrong with the embedded Postgres; each text names the remedy."""

from __future__ import annotations


class EmbeddedPostgresError(Exception):
    """The embedded Postgres cannot be prepared, started or reached."""


class DataDirBusyError(EmbeddedPostgresError):
    """Another process uses the data directory; `pid` is that process, if it is known."""

    def __init__(self, message: str, *, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class NotRunningError(EmbeddedPostgresError):
    """No server runs on the data directory."""
