"""Frames that carry no request: settings, pings, windows, resets, and errors of single streams."""

from __future__ import annotations

from collections.abc import Callable

from hatchet_engine.transports.http2 import frames
from hatchet_engine.transports.http2.errors import ConnectionFailed, ErrorCode, StreamFailed
from hatchet_engine.transports.http2.floods import Budget
from hatchet_engine.transports.http2.limits import (
    DEFAULT_FRAME_BYTES,
    FRAME_BYTES_MAX,
    WINDOW_MAX,
    Limits,
)
from hatchet_engine.transports.http2.sending import SendingHalf

FrameHandler = Callable[[int, int, bytes], None]


class Control(SendingHalf):
    def __init__(
        self, limits: Limits, now_s: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        super().__init__(limits, wake)
        self.draining = False
        self._last_id = 0
        self._pings = Budget("pings", limits.pings_burst, limits.pings_per_s, now_s)
        self._settings = Budget("settings", limits.settings_burst, limits.settings_per_s, now_s)
        self._resets = Budget("resets", limits.resets_burst, limits.resets_per_s, now_s)
        self._oddities = Budget("idle frames", limits.oddities_burst, limits.oddities_per_s, now_s)
        self._control: dict[int, FrameHandler] = {
            frames.PRIORITY: self._priority,
            frames.RST_STREAM: self._rst_stream,
            frames.SETTINGS: self._settings_frame,
            frames.PUSH_PROMISE: self._push_promise,
            frames.PING: self._ping,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._window_update,
        }

    # ------------------------------------------------------------ streams

    def _rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has four bytes")
        self._refuse_idle(stream_id, "RST_STREAM")
        self._resets.spend()
        stream = self.streams.get(stream_id)
        if stream is None:
            self._cut.pop(stream_id, None)
            return
        stream.ended_by_peer = True
        self.forget(stream)
        stream.handler.gone(frames.number(payload))

    def _stream_failed(self, failed: StreamFailed) -> None:
        self._oddities.spend()
        self.put(frames.rst_stream(failed.stream_id, failed.code))
        stream = self.streams.get(failed.stream_id)
        if stream is not None:
            self.forget(stream)
            stream.handler.gone(failed.code)
        else:
            self.cut(failed.stream_id)

    def _refuse_idle(self, stream_id: int, name: str) -> None:
        """Nothing may come for a stream that has not begun."""
        if stream_id > self._last_id or not stream_id & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"{name} on an idle stream")

    def _priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PRIORITY of the connection")
        self._oddities.spend()
        if len(payload) != 5:
            raise StreamFailed(stream_id, ErrorCode.FRAME_SIZE_ERROR)

    def _push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "clients can't push")

    def _window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE has four bytes")
        increment = frames.number(payload) & WINDOW_MAX
        if not stream_id:
            if not increment:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "the window grows by nothing")
            self.window_grew(None, increment)
            return
        stream = self.streams.get(stream_id)
        if stream is None:
            self._refuse_idle(stream_id, "WINDOW_UPDATE")
            return  # it crossed our end of the stream
        if not increment:
            raise StreamFailed(stream_id, ErrorCode.PROTOCOL_ERROR)
        self.window_grew(stream, increment)

    # ------------------------------------------------------------ the connection

    def _settings_frame(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "SETTINGS of a stream")
        self._settings.spend()
        if flags & frames.ACK:
            if payload:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS ACK carries nothing")
            return
        if len(payload) % frames.SETTING.size:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS have six bytes each")
        for key, value in frames.SETTING.iter_unpack(payload):
            self._setting(key, value)
        self.put(frames.SETTINGS_ACK)

    def _setting(self, key: int, value: int) -> None:
        if key == frames.INITIAL_WINDOW_SIZE:
            if value > WINDOW_MAX:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "the window is too large")
            self.peer_window_changed(value)
        elif key == frames.MAX_FRAME_SIZE:
            if not DEFAULT_FRAME_BYTES <= value <= FRAME_BYTES_MAX:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range")
            self._peer_frame_bytes = value
        elif key == frames.ENABLE_PUSH and value > 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
        # We send header blocks that need no table, few streams, and no pushes: the rest is nothing
        # to us.

    def _ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PING of a stream")
        if len(payload) != 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "PING has eight bytes")
        self._pings.spend()
        if not flags & frames.ACK:
            self.put(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "GOAWAY of a stream")
        if len(payload) < 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is too short")
        # The client begins no more calls; those under way go on, and the connection ends with the
        # last one.
        self.draining = True
