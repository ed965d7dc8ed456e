"""A server's side of one HTTP/2 connection (RFC 9113), without input and output.

Bytes go into :meth:`Connection.receive`; requests come out at an :class:`Application`, and output
at ``take``. Whatever the bytes are, nothing is raised: the connection ends with GOAWAY.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from hatchet_engine.transports.http2 import frames
from hatchet_engine.transports.http2.control import Control
from hatchet_engine.transports.http2.errors import ConnectionFailed, ErrorCode, StreamFailed
from hatchet_engine.transports.http2.header_blocks import HeaderBlocks
from hatchet_engine.transports.http2.limits import DEFAULT_WINDOW, Limits
from hatchet_engine.transports.http2.plaintext import answer_to_http1
from hatchet_engine.transports.http2.requests import Request
from hatchet_engine.transports.http2.stream import Stream, StreamHandler

log = structlog.get_logger("http2")

_unpack = frames.HEADER.unpack_from


class Application(Protocol):
    def request(self, stream: Stream, request: Request) -> StreamHandler:
        """A call begins. Its data follows, at least the end of it. Must not raise."""
        ...


class _Block:
    """A header block of which more must come."""

    __slots__ = ("data", "ended", "frames", "stream_id")

    def __init__(self, stream_id: int, data: bytes, ended: bool) -> None:
        self.stream_id = stream_id
        self.data = bytearray(data)
        self.ended = ended
        self.frames = 1


class Connection(Control):
    def __init__(
        self,
        application: Application,
        limits: Limits,
        now_s: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        super().__init__(limits, now_s, wake)
        self._application = application
        self._blocks = HeaderBlocks(limits)
        self._receive_window = limits.connection_window_bytes
        self._credit = 0
        self._rest = bytearray()  # of a frame that is not complete
        self._need = 0  # bytes that must be there before it is
        self._prefaced = False
        self.greeted = False  # the client's preface and settings have come
        self._opened = 0
        self._block: _Block | None = None
        self.failure = ""

    # ------------------------------------------------------------ life

    @property
    def finished(self) -> bool:
        """Nothing more will come of this connection."""
        return self.closed or (self.draining and not self.streams)

    def drain(self) -> None:
        """Take no more calls; those under way go on."""
        if self.draining or self.closed:
            return
        self.draining = True
        if self._prefaced:
            self.put(frames.goaway(self._last_id, ErrorCode.NO_ERROR))

    def fail(self, code: ErrorCode, text: str) -> None:
        """Say goodbye with an error; whoever holds the socket then closes it."""
        if self.closed:
            return
        self.failure = text
        self.put(frames.goaway(self._last_id, code, text))
        self.lost()

    def lost(self) -> None:
        """The connection is no more: all calls learn of it."""
        self.closed = True
        self._rest.clear()
        streams = list(self.streams.values())
        for stream in streams:
            self.forget(stream)
        for stream in streams:
            stream.handler.gone(ErrorCode.CANCEL)

    def send_ping(self) -> None:
        self.put(frames.frame(frames.PING, 0, 0, b"are you?"))

    # ------------------------------------------------------------ bytes in

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        try:
            self._receive(data)
        except ConnectionFailed as failed:
            self.fail(failed.code, failed.text)
        except Exception:
            log.exception("connection_failed")
            self.fail(ErrorCode.INTERNAL_ERROR, "an internal error occurred")

    def _receive(self, data: bytes) -> None:
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._need:
                return
            data = bytes(rest)
            rest.clear()
        position = 0
        if not self._prefaced:
            position = self._preface(data)
            if not position:
                return
        size, frame_bytes_max = len(data), self.limits.frame_bytes
        self._need = frames.HEADER_BYTES
        while size - position >= frames.HEADER_BYTES:
            high, low, kind, flags, stream_id = _unpack(data, position)
            length = high << 8 | low
            if length > frame_bytes_max:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "the frame is too large")
            start = position + frames.HEADER_BYTES
            stop = start + length
            if stop > size:
                self._need = frames.HEADER_BYTES + length
                break
            position = stop
            try:
                self._frame(kind, flags, stream_id & frames.STREAM_MASK, data[start:stop])
            except StreamFailed as failed:
                self._stream_failed(failed)
            if self.closed:
                return
        if position < size:
            rest += data[position:] if position else data

    def _preface(self, data: bytes) -> int:
        """Length of the client's preface; 0 when it has not come yet, or won't."""
        preface = frames.PREFACE
        if not data.startswith(preface):
            answer = None if preface.startswith(data) else answer_to_http1(data)
            if answer is None:
                self._rest += data
                return 0
            self.failure = "not HTTP/2"
            if answer:
                self.put(answer)
            self.lost()
            return 0
        self._prefaced = True
        limits = self.limits
        greeting = frames.settings(
            (
                (frames.MAX_CONCURRENT_STREAMS, limits.concurrent_streams),
                (frames.INITIAL_WINDOW_SIZE, limits.stream_window_bytes),
                (frames.MAX_FRAME_SIZE, limits.frame_bytes),
                (frames.MAX_HEADER_LIST_SIZE, limits.header_list_bytes),
            )
        )
        more = limits.connection_window_bytes - DEFAULT_WINDOW
        self.put(greeting + frames.window_update(0, more))
        if self.draining:
            self.put(frames.goaway(0, ErrorCode.NO_ERROR))
        return len(preface)

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if not self.greeted:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "SETTINGS must come first")
            self.greeted = True
        if self._block is not None and kind != frames.CONTINUATION:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "CONTINUATION must come next")
        if kind == frames.DATA:
            self._data(flags, stream_id, payload)
        elif kind == frames.HEADERS:
            self._headers(flags, stream_id, payload)
        elif kind == frames.CONTINUATION:
            self._continuation(flags, stream_id, payload)
        else:
            handle = self._control.get(kind)
            if handle is None:
                self._oddities.spend()  # unknown kinds are ignored
            else:
                handle(flags, stream_id, payload)

    # ------------------------------------------------------------ heads of requests

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        if flags & frames.WITH_PRIORITY:
            if len(payload) < 5:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "HEADERS lacks its priority")
            payload = payload[5:]
        if not stream_id & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream of the server")
        ended = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            self._header_block(stream_id, payload, ended)
        else:
            self._block = _Block(stream_id, payload, ended)

    def _continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        block, limits = self._block, self.limits
        if block is None or block.stream_id != stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        block.data += payload
        block.frames += 1
        if len(block.data) > limits.header_block_bytes or block.frames > limits.header_block_frames:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too long")
        if flags & frames.END_HEADERS:
            self._block = None
            self._header_block(stream_id, bytes(block.data), block.ended)

    def _header_block(self, stream_id: int, block: bytes, ended: bool) -> None:
        if stream_id <= self._last_id:
            self._trailers(stream_id, block, ended)
            return
        # Decoded in any case: the next blocks build upon it.
        request = self._blocks.request(block)
        self._last_id = stream_id
        self._opened += 1
        if request.problem is not None or (ended and request.content_length):
            raise StreamFailed(stream_id, ErrorCode.PROTOCOL_ERROR)
        if self.draining or len(self.streams) >= self.limits.concurrent_streams:
            raise StreamFailed(stream_id, ErrorCode.REFUSED_STREAM)
        stream = Stream(self, stream_id)
        stream.ended_by_peer = ended
        stream.expected = request.content_length
        self.streams[stream_id] = stream
        handler = self._application.request(stream, request)
        stream.handler = handler
        if ended and not stream.ended_by_us:
            handler.data(b"", True)

    def _trailers(self, stream_id: int, block: bytes, ended: bool) -> None:
        problem = self._blocks.trailers(block)
        stream = self.streams.get(stream_id)
        if stream is None:
            if stream_id in self._cut:
                return
            skipped = self._opened < (self._last_id + 1) // 2
            code = ErrorCode.PROTOCOL_ERROR if skipped else ErrorCode.STREAM_CLOSED
            raise ConnectionFailed(code, "HEADERS on a closed stream")
        if stream.ended_by_peer:
            raise StreamFailed(stream_id, ErrorCode.STREAM_CLOSED)
        if problem is not None or not ended:
            raise StreamFailed(stream_id, ErrorCode.PROTOCOL_ERROR)
        self._ended(stream, b"")

    # ------------------------------------------------------------ bodies of requests

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        length = len(payload)
        self._receive_window -= length
        if self._receive_window < 0:
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "more than the window")
        self._credit += length
        if self._credit * 2 >= self.limits.connection_window_bytes:
            self.put(frames.window_update(0, self._credit))
            self._receive_window += self._credit
            self._credit = 0
        stream = self.streams.get(stream_id)
        if stream is None:
            self._stray(flags, stream_id)
            return
        if stream.ended_by_peer:
            raise StreamFailed(stream_id, ErrorCode.STREAM_CLOSED)
        if length > stream.receive_window:
            raise StreamFailed(stream_id, ErrorCode.FLOW_CONTROL_ERROR)
        stream.receive_window -= length
        if flags & frames.PADDED:
            payload = _unpadded(payload)
            stream.consumed(length - len(payload))
        if flags & frames.END_STREAM:
            self._ended(stream, payload)
            return
        if not payload:
            self._oddities.spend()
            return
        if stream.expected is not None:
            stream.expected -= len(payload)
            if stream.expected < 0:
                raise StreamFailed(stream_id, ErrorCode.PROTOCOL_ERROR)
        stream.handler.data(payload, False)

    def _ended(self, stream: Stream, payload: bytes) -> None:
        if stream.expected is not None and stream.expected != len(payload):
            raise StreamFailed(stream.id, ErrorCode.PROTOCOL_ERROR)
        stream.ended_by_peer = True
        stream.handler.data(payload, True)

    def _stray(self, flags: int, stream_id: int) -> None:
        """DATA for a stream that is not there: late, or wrong."""
        self._refuse_idle(stream_id, "DATA")
        self._oddities.spend()
        if stream_id not in self._cut:
            raise StreamFailed(stream_id, ErrorCode.STREAM_CLOSED)
        if flags & frames.END_STREAM:
            del self._cut[stream_id]


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
