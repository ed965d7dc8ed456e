"""Log lines: of the SDK itself, and of user code on their way to the engine."""

import logging
import sys
import time
from typing import Protocol

from hatchet.context.current import current

sdk_logger = logging.getLogger("hatchet")

_LEVELS = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARN", "WARN": "WARN", "ERROR": "ERROR"}
_CRITICAL = "ERROR"


def set_up_sdk_logger(debug: bool) -> None:
    """Give the logger `hatchet` an output of its own, unless the program did so already."""
    if not sdk_logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s hatchet: %(message)s"))
        sdk_logger.addHandler(handler)
        sdk_logger.propagate = False
    if sdk_logger.level == logging.NOTSET:
        sdk_logger.setLevel(logging.DEBUG if debug else logging.INFO)


class LogPort(Protocol):
    def log(
        self, task_id: bytes, attempt: int, level: str, message: str, at_ms: int = 0
    ) -> None: ...


class LogCapture(logging.Handler):
    """Sends what user code logs inside a task to the log of that task run.

    Which records: those emitted where the context of a task is current, so in async tasks, in
    the thread of a sync task, and wherever that context was copied to.
    """

    def __init__(self, port: LogPort) -> None:
        super().__init__()
        self._port = port

    def emit(self, record: logging.LogRecord) -> None:
        context = current.get()
        if context is None or record.name == "hatchet" or record.name.startswith("hatchet."):
            return
        try:
            level = _LEVELS.get(record.levelname, "INFO")
            if record.levelno >= logging.CRITICAL:
                level = _CRITICAL
            self._port.log(
                context._task_id,
                context.retry_count,
                level,
                self.format(record)[:10_000],
                int(record.created * 1000),
            )
        except Exception:
            self.handleError(record)


def capture(logger: logging.Logger, port: LogPort) -> LogCapture:
    """Start to capture. Format and filters are those of the logger's own handlers."""
    handler = LogCapture(port)
    for other in logger.handlers:
        if other.formatter is not None and handler.formatter is None:
            handler.setFormatter(other.formatter)
        for each in other.filters:
            handler.addFilter(each)
    logger.addHandler(handler)
    return handler


class DropWarning:
    """Warns about what was dropped, at most once in ten seconds."""

    INTERVAL_S = 10.0

    def __init__(self, what: str, bound: str) -> None:
        self._what = what
        self._bound = bound
        self._dropped = 0
        self._last = 0.0

    def count(self) -> None:
        self._dropped += 1
        now = time.monotonic()
        if now - self._last >= self.INTERVAL_S:
            self._last = now
            sdk_logger.warning(
                "%s arise faster than they can be sent: %d dropped (%s)",
                self._what,
                self._dropped,
                self._bound,
            )
            self._dropped = 0
