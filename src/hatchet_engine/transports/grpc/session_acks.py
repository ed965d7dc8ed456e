"""Reports and chunks of a session: acknowledged by frames, in order, after their commits.

The reports of a frame are one command, but for those whose chunks are not yet stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.turn.commands import Command, Report, ReportTasks

log = structlog.get_logger("hatchet.session")

Done = Callable[[asyncio.Future[Any]], None]
Enter = Callable[[Command[Any], Done], None]
Track = Callable[[asyncio.Future[Any], Done], None]

# Refusals that pass: the client keeps its reports and sends them again on its next stream.
_PASSING = (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED)


@dataclass(slots=True)
class _Sent:
    seq: int
    left: int  # parts of this frame that are not stored


class FrameAcks:
    """``acked(seq)`` is called once everything up to ``seq`` is stored; ``fail`` when it can't be
    stored now.

    ``track(future, done)`` counts what is under way; ``unstored`` tells what an attempt's report
    has to wait for: a task has ended only when all it said is there.
    """

    def __init__(
        self,
        tenant_id: UUID,
        enter: Enter,
        track: Track,
        unstored: Callable[[UUID, int | None], asyncio.Future[None] | None],
        acked: Callable[[int], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._tenant_id = tenant_id
        self._enter = enter
        self._track = track
        self._unstored = unstored
        self._acked = acked
        self._fail = fail
        self._sent: deque[_Sent] = deque()

    def put(
        self, seq: int, reports: Sequence[Report], chunks: asyncio.Future[None] | None = None
    ) -> None:
        """``seq`` 0: the client wants no acknowledgement. ``chunks``: set when those of this frame
        are stored."""
        sent = _Sent(seq, 1)  # a part more, so that it does not end before all are entered
        self._sent.append(sent)
        if chunks is not None:
            self._after(sent, chunks, ())
        ready: list[Report] = []
        waiting: dict[asyncio.Future[None], list[Report]] = {}
        for report in reports:
            future = self._unstored(report.task_id, report.attempt)
            (ready if future is None else waiting.setdefault(future, [])).append(report)
        if ready:
            self._submit(sent, ready)
        for future, late in waiting.items():
            self._after(sent, future, late)
        self._one_ended(sent)

    def _after(self, sent: _Sent, chunks: asyncio.Future[None], reports: Sequence[Report]) -> None:
        """Submit reports once chunks are stored."""
        sent.left += 1

        def done(future: asyncio.Future[None]) -> None:
            if future.cancelled():
                self._fail(Refused(Code.UNAVAILABLE, "chunks were not taken: send them again"))
                return
            if reports:
                self._submit(sent, reports)
            self._one_ended(sent)

        self._track(chunks, done)

    def _submit(self, sent: _Sent, reports: Sequence[Report]) -> None:
        sent.left += 1

        def done(future: asyncio.Future[list[bool]]) -> None:
            error = None if future.cancelled() else future.exception()
            if future.cancelled():
                self._fail(Refused(Code.UNAVAILABLE, "reports were not taken: send them again"))
            elif isinstance(error, Refused) and error.code in _PASSING:
                self._fail(Refused(Code.UNAVAILABLE, error.message))
            else:
                if error is not None:
                    self._not_stored(sent, reports, error)
                self._one_ended(sent)

        self._enter(ReportTasks(self._tenant_id, reports), done)

    def _not_stored(self, sent: _Sent, reports: Sequence[Report], error: BaseException) -> None:
        """Find the report that can't be stored, and go on without it: sent again and again it
        would block all others."""
        if len(reports) == 1:
            log.error("report_dropped", task_id=str(reports[0].task_id), error=str(error))
            return
        for report in reports:
            self._submit(sent, (report,))

    def _one_ended(self, sent: _Sent) -> None:
        sent.left -= 1
        waiting = self._sent
        last = 0
        while waiting and waiting[0].left == 0:
            last = max(last, waiting.popleft().seq)
        if last:
            self._acked(last)
