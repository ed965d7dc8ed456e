"""The sending half of a connection: frames, windows, and queues of what they don't let through."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hatchet_engine.transports.http2 import frames
from hatchet_engine.transports.http2.errors import ConnectionFailed, ErrorCode, StreamFailed
from hatchet_engine.transports.http2.limits import (
    DEFAULT_FRAME_BYTES,
    DEFAULT_WINDOW,
    KIB,
    WINDOW_MAX,
    Limits,
)
from hatchet_engine.transports.http2.stream import Stream

# Producers wait while more than this is queued on their stream, and from this much output on they
# let the loop turn, so that the socket can say whether it takes it.
STREAM_QUEUE_BYTES = 64 * KIB
OUTPUT_BYTES = 256 * KIB
SHORT_BLOCK_BYTES = 255
CUT_MAX = 1_000  # streams that are remembered after their end

_pack = frames.HEADER.pack


class SendingHalf:
    """``wake`` is called once when there is output; :meth:`take` then gives all of it."""

    def __init__(self, limits: Limits, wake: Callable[[], None]) -> None:
        self.limits = limits
        self.streams: dict[int, Stream] = {}
        self.closed = False
        self.paused = False  # the socket takes no more for now
        self.peer_window = DEFAULT_WINDOW
        self._peer_frame_bytes = DEFAULT_FRAME_BYTES
        self._send_window = DEFAULT_WINDOW
        self._out: list[bytes | memoryview] = []
        self._out_bytes = 0
        self._wake = wake
        self.awake = False  # whoever holds this true promises to look for output himself
        self._queues: dict[int, Stream] = {}  # streams with something queued, in order of turns
        self._waiting: set[Stream] = set()  # whose handlers were told that they are clogged
        self._cut: dict[int, None] = {}  # streams that ended here before the client ended them
        self._held = 0

    # ------------------------------------------------------------ output

    def put(self, data: bytes) -> None:
        self._out.append(data)
        if not self.awake:
            self.awake = True
            self._wake()

    def take(self) -> bytes:
        """Everything to be written now."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._out_bytes = 0
        assert type(data) is bytes
        return data

    def resume(self) -> None:
        """The socket takes more again."""
        self.paused = False
        self._unclog(list(self._waiting))

    def clogged(self, stream: Stream) -> bool:
        if stream.ended_by_us or self.closed:
            return False
        queue = stream.queue
        if (
            self.paused
            or self._out_bytes > OUTPUT_BYTES
            or (queue is not None and sum(map(len, queue)) - stream.offset > STREAM_QUEUE_BYTES)
        ):
            self._waiting.add(stream)
            return True
        return False

    def _unclog(self, streams: list[Stream]) -> None:
        for stream in streams:
            if stream in self._waiting and not self.clogged(stream):
                self._waiting.discard(stream)
                stream.handler.writable()

    def unclog_after_output(self) -> None:
        """Output was taken: those who waited for no more than that may go on."""
        if self._waiting and not self.paused:
            self._unclog(list(self._waiting))

    # ------------------------------------------------------------ responses

    def send_whole(self, stream: Stream, head: bytes, data: bytes, trailers: bytes) -> None:
        size = len(data)
        if (
            size > stream.send_window
            or size > self._send_window
            or size > self._peer_frame_bytes
            or stream.ended_by_us
            or len(trailers) > SHORT_BLOCK_BYTES
            or len(head) > SHORT_BLOCK_BYTES
        ):
            self.send_headers(stream, head, 0)
            self.send_data(stream, data)
            self.send_trailers(stream, trailers)
            return
        self._send_window -= size
        id, length = stream.id, len(trailers)
        self.put(
            b"".join(
                (
                    _pack(0, len(head), 0x1, 0x4, id),  # HEADERS, END_HEADERS
                    head,
                    _pack(size >> 8, size & 0xFF, 0x0, 0x0, id),  # DATA
                    data,
                    _pack(0, length, 0x1, 0x5, id),  # HEADERS, END_HEADERS and END_STREAM
                    trailers,
                )
            )
        )
        self._end(stream)

    def send_headers(self, stream: Stream, block: bytes, flags: int) -> None:
        if stream.ended_by_us:
            return
        most = self._peer_frame_bytes
        if len(block) <= most:
            self.put(frames.frame(frames.HEADERS, flags | frames.END_HEADERS, stream.id, block))
        else:
            parts = [block[start : start + most] for start in range(0, len(block), most)]
            self.put(frames.frame(frames.HEADERS, flags, stream.id, parts[0]))
            for part in parts[1:-1]:
                self.put(frames.frame(frames.CONTINUATION, 0, stream.id, part))
            last = frames.frame(frames.CONTINUATION, frames.END_HEADERS, stream.id, parts[-1])
            self.put(last)
        if flags & frames.END_STREAM:
            self._end(stream)

    def send_data(self, stream: Stream, data: bytes) -> None:
        if stream.ended_by_us:
            return
        size = len(data)
        if (
            stream.queue is None
            and size <= stream.send_window
            and size <= self._send_window
            and size <= self._peer_frame_bytes
        ):
            stream.send_window -= size
            self._send_window -= size
            self._out_bytes += size
            self.put(_pack(size >> 8, size & 0xFF, 0x0, 0x0, stream.id) + data)
            return
        if stream.queue is None:
            stream.queue = deque()
            self._queues[stream.id] = stream
        stream.queue.append(data)
        while self._send_frame(stream):
            pass

    def send_trailers(self, stream: Stream, block: bytes) -> None:
        if stream.queue is not None:
            stream.trailers = block
            return
        self.send_headers(stream, block, frames.END_STREAM)

    def _send_frame(self, stream: Stream) -> bool:
        """Send the next piece of what is queued; False when that can't be now, or nothing is."""
        queue = stream.queue
        if queue is None:
            return False
        first, offset = queue[0], stream.offset
        rest = len(first) - offset
        size = min(rest, stream.send_window, self._send_window, self._peer_frame_bytes)
        if size <= 0 and rest:
            return False
        stream.send_window -= size
        self._send_window -= size
        self._out_bytes += size
        self.put(_pack(size >> 8, size & 0xFF, 0x0, 0x0, stream.id))
        self._out.append(memoryview(first)[offset : offset + size])
        if size < rest:
            stream.offset = offset + size
            return True
        stream.offset = 0
        queue.popleft()
        if not queue:
            stream.queue = None
            del self._queues[stream.id]
            if stream.trailers is not None:
                self.send_headers(stream, stream.trailers, frames.END_STREAM)
            return False
        return True

    # ------------------------------------------------------------ windows

    def window_grew(self, stream: Stream | None, increment: int) -> None:
        """``stream`` None: that of the connection."""
        if stream is None:
            self._send_window += increment
            if self._send_window > WINDOW_MAX:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "the window is too large")
            self._send_queued()
            return
        stream.send_window += increment
        if stream.send_window > WINDOW_MAX:
            raise StreamFailed(stream.id, ErrorCode.FLOW_CONTROL_ERROR)
        if stream.queue is not None:
            while self._send_frame(stream):
                pass
            self._unclog([stream])

    def peer_window_changed(self, size: int) -> None:
        difference = size - self.peer_window
        self.peer_window = size
        for stream in self.streams.values():
            stream.send_window += difference
            if stream.send_window > WINDOW_MAX:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "a window is too large")
        self._send_queued()

    def _send_queued(self) -> None:
        """One frame for each stream in turn, as long as the connection's window lasts."""
        queues = self._queues
        if not queues:
            return
        tried = list(queues.values())
        turn = tried
        while turn and self._send_window > 0:
            turn = [stream for stream in turn if self._send_window > 0 and self._send_frame(stream)]
        for stream in tried[:1]:
            # The next window begins with another one.
            if stream.id in queues:
                queues[stream.id] = queues.pop(stream.id)
        self._unclog(tried)

    # ------------------------------------------------------------ ends

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End a stream at once, without a word to its handler."""
        if self.streams.get(stream.id) is stream:
            self.put(frames.rst_stream(stream.id, code))
            self.forget(stream)

    def _end(self, stream: Stream) -> None:
        stream.ended_by_us = True
        if not stream.ended_by_peer:
            # What else the client wants to say is of no interest.
            self.put(frames.rst_stream(stream.id, ErrorCode.NO_ERROR))
        self.forget(stream)

    def forget(self, stream: Stream) -> None:
        stream.ended_by_us = True
        del self.streams[stream.id]
        if not stream.ended_by_peer:
            self.cut(stream.id)
        stream.release_all()
        self._waiting.discard(stream)
        if stream.queue is not None:
            stream.queue = None
            del self._queues[stream.id]

    def cut(self, stream_id: int) -> None:
        """What the client had sent before it heard of the end shall not be held against it."""
        self._cut[stream_id] = None
        if len(self._cut) > CUT_MAX:
            del self._cut[next(iter(self._cut))]

    def hold(self, size: int) -> bool:
        self._held += size
        return self._held <= self.limits.held_bytes
