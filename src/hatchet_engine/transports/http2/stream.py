"""One HTTP/2 stream: its state, its windows, and what waits to be sent on it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from hatchet_engine.transports.http2 import frames
from hatchet_engine.transports.http2.errors import ErrorCode

if TYPE_CHECKING:
    from hatchet_engine.transports.http2.sending import SendingHalf


class StreamHandler(Protocol):
    """What the layer above does with a stream. Nothing of this may raise."""

    def data(self, payload: bytes, ended: bool) -> None:
        """More of the request; ``ended``: it was the last."""
        ...

    def gone(self, code: int) -> None:
        """The stream is no more: reset by the peer, or its connection was lost."""
        ...

    def writable(self) -> None:
        """What was queued has drained, after :attr:`Stream.clogged` said otherwise."""
        ...


class Nobody:
    """Handles a stream that needs no handling any more."""

    __slots__ = ()

    def data(self, payload: bytes, ended: bool) -> None:
        pass

    def gone(self, code: int) -> None:
        pass

    def writable(self) -> None:
        pass


NOBODY = Nobody()


class Stream:
    __slots__ = (
        "_connection",
        "_credit",
        "_held",
        "ended_by_peer",
        "ended_by_us",
        "expected",
        "handler",
        "id",
        "offset",
        "queue",
        "receive_window",
        "send_window",
        "trailers",
    )

    def __init__(self, connection: SendingHalf, id: int) -> None:
        self.id = id
        self.handler: StreamHandler = NOBODY
        self._connection = connection
        self.send_window = connection.peer_window
        self.receive_window = connection.limits.stream_window_bytes
        self.ended_by_peer = False
        self.ended_by_us = False
        self.expected: int | None = None  # rest of content-length
        self.queue: deque[bytes] | None = None  # messages that wait for a window
        self.offset = 0  # sent of the first of the queue
        self.trailers: bytes | None = None  # wait behind the queue
        self._credit = 0
        self._held = 0

    # ------------------------------------------------------------ receiving

    def consumed(self, size: int) -> None:
        """Let the peer send so much more on this stream."""
        if self.ended_by_peer or self.ended_by_us:
            return
        self._credit += size
        if self._credit * 2 >= self._connection.limits.stream_window_bytes:
            self._connection.put(frames.window_update(self.id, self._credit))
            self.receive_window += self._credit
            self._credit = 0

    def hold(self, size: int) -> bool:
        """Count bytes that are kept for this stream; False when the connection keeps too many."""
        self._held += size
        return self._connection.hold(size)

    def release(self, size: int) -> None:
        self._held -= size
        self._connection.hold(-size)

    def release_all(self) -> None:
        if self._held:
            self.release(self._held)

    # ------------------------------------------------------------ sending

    @property
    def clogged(self) -> bool:
        """Whether who produces messages should wait for :meth:`StreamHandler.writable`."""
        return self._connection.clogged(self)

    def send_headers(self, block: bytes) -> None:
        self._connection.send_headers(self, block, 0)

    def send_only_headers(self, block: bytes) -> None:
        """A response without a body."""
        self._connection.send_headers(self, block, frames.END_STREAM)

    def send_data(self, data: bytes) -> None:
        self._connection.send_data(self, data)

    def send_trailers(self, block: bytes) -> None:
        self._connection.send_trailers(self, block)

    def send_whole(self, head: bytes, data: bytes, trailers: bytes) -> None:
        """A complete response."""
        self._connection.send_whole(self, head, data, trailers)

    def reset(self, code: ErrorCode) -> None:
        self._connection.reset(self, code)
