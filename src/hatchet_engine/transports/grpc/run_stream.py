"""One client that waits for results of runs (SubscribeToWorkflowRuns, B9)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from google.protobuf.message import DecodeError

from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.codecs.ids import id_or_none
from hatchet_engine.transports.grpc.codecs.results import run_event
from hatchet_engine.transports.grpc.result_backlog import ResultBacklog
from hatchet_engine.turn.deliveries import RunResult
from hatchet_protocol.dispatcher import SubscribeToWorkflowRunsRequest


class RunStream:
    """Implements ``RunSubscriber``."""

    def __init__(self, caller: Caller, stream: Stream) -> None:
        self._caller = caller
        self._stream = stream
        self._results = ResultBacklog(self._subscribe)
        self._spelling: dict[UUID, str] = {}  # ids that were not written as we write them
        self._wake = asyncio.Event()
        self._closed = False
        self._error: Refused | None = None

    def deliver_results(self, results: Sequence[RunResult]) -> None:
        self._results.put(results)
        self._wake.set()

    async def serve(self) -> None:
        """Until the client has finished sending, or the stream shall end."""
        self._stream.ending.on_end(self._close)
        reader = asyncio.create_task(self._read())
        try:
            await self._write()
        finally:
            reader.cancel()
            self._caller.engine.subscriptions.unsubscribe(self)
        if self._error is not None:
            raise self._error

    def _subscribe(self, ids: Sequence[UUID]) -> None:
        self._caller.engine.subscriptions.subscribe(self._caller.tenant_id, self, ids)

    def _close(self) -> None:
        self._closed = True
        self._wake.set()

    async def _read(self) -> None:
        parse = SubscribeToWorkflowRunsRequest.FromString
        try:
            while (raw := await self._stream.receive()) is not None:
                try:
                    text = parse(raw).workflow_run_id
                except DecodeError as error:
                    self._error = invalid(f"the message can't be parsed: {error}")
                    return
                id = id_or_none(text)
                if id is None:
                    continue  # ignored without a word (B9)
                if str(id) != text:
                    self._spelling[id] = text
                self._subscribe((id,))
        finally:
            self._close()

    async def _write(self) -> None:
        results, wake = self._results, self._wake
        while True:
            while results:
                result = results.take()
                run_id = result.run_id
                asked_id = self._spelling.pop(run_id, None) if self._spelling else None
                event = run_event(result, asked_id or str(run_id))
                await self._stream.send(event.SerializeToString())
                results.refill()
            if self._closed:
                return
            wake.clear()
            await wake.wait()
