"""Calls with one request and one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from hatchet_engine.transports.http2.calls import Call, cut_off, one_message
from hatchet_engine.transports.http2.messages import PREFIX_BYTES, framed, gunzip
from hatchet_engine.transports.http2.status import HEAD, OK_TRAILERS, GrpcError


class UnaryCall(Call):
    __slots__ = ()

    def data(self, payload: bytes, ended: bool) -> None:
        if ended and self._reader is None and self._is_one_message(payload):
            if not self.is_gone:
                self._take(payload)
        else:
            self._gather(payload, ended)

    def _is_one_message(self, payload: bytes) -> bool:
        """Nearly always: the whole request has come in one piece, and needs no reader."""
        length = len(payload) - PREFIX_BYTES
        return (
            0 <= length <= self._app.receive_bytes_max
            and int.from_bytes(payload[1:PREFIX_BYTES], "big") == length
            and payload[0] <= self._head.gzip
        )

    def _take(self, payload: bytes) -> None:
        message = payload[PREFIX_BYTES:]
        if payload[0]:
            try:
                message = gunzip(message, self._app.receive_bytes_max)
            except GrpcError as error:
                self._end(error)
                return
        self._run(message)

    def _gather(self, payload: bytes, ended: bool) -> None:
        if self.is_gone:
            return
        try:
            ready = self._feed(payload).ready
            if len(ready) > 1 or (ended and not ready and not self._reader_incomplete()):
                raise one_message()
            if ended and self._reader_incomplete():
                raise cut_off()
        except GrpcError as error:
            self._end(error)
            return
        if ended:
            self._stream.release_all()
            self._run(ready.popleft())
        else:
            self._stream.consumed(len(payload))

    def _reader_incomplete(self) -> bool:
        return self._reader is not None and self._reader.incomplete

    def _run(self, message: bytes) -> None:
        head = self._head
        if not head.at_once:
            self._start(self._finish(message, None))
            return
        # Most handlers return without having waited for anything, or wait for one future: their
        # first step needs no task.
        coroutine = head.unary(message, head.metadata)
        try:
            waits_for = coroutine.send(None)
        except StopIteration as stop:
            self._answer(stop.value)
        except Exception as error:
            self._end(self._error_of(error))
        else:
            self._start(self._finish(message, _Begun(coroutine, waits_for)))

    async def _finish(self, message: bytes, begun: _Begun | None) -> None:
        head = self._head
        try:
            answer = await (begun or head.unary(message, head.metadata))
        except (Exception, asyncio.CancelledError) as error:
            self._end(self._error_of(error))
        else:
            self._answer(answer)
        finally:
            self._app.running.discard(self)

    def _answer(self, message: bytes) -> None:
        if self._slot >= 0:
            self._no_deadline()
        if not self.is_gone:
            self.is_gone = True
            self._stream.send_whole(HEAD, framed(message), OK_TRAILERS)

    def _give_up(self, error: GrpcError | None) -> None:
        Call._give_up(self, error)
        self._cancel()


class _Begun:
    """Awaits a coroutine whose first step has been made outside of a task."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, bytes], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, bytes]:
        coroutine, waits_for = self._coroutine, self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(value)
        except StopIteration as stop:
            answer: bytes = stop.value
            return answer
