"""Runs that were just triggered: one object for every way to wait for them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from hatchet._core.chunks import FRAME_OVERHEAD_BYTES, chunked
from hatchet._core.session import RunOutcome, TriggerItemData
from hatchet.exceptions import BulkTriggerIdempotencyCollisionError, IdempotencyCollisionError

if TYPE_CHECKING:
    from hatchet._run.client import Client
    from hatchet._run.outbox import Trigger
    from hatchet._run.session import Session

TResult = TypeVar("TResult")

ReadOutcome = Callable[[str, RunOutcome], TResult]


class Started(Generic[TResult]):
    """One trigger call. Large bulks are several requests, sent without waiting in between.

    `bulk`: how taken idempotency keys are told, as one error with all of them.
    """

    __slots__ = ("_bulk", "_read", "_session", "_triggers")

    def __init__(
        self,
        client: "Client",
        items: Sequence[TriggerItemData],
        want_results: bool,
        read: ReadOutcome[TResult],
        *,
        bulk: bool = False,
    ) -> None:
        self._bulk = bulk
        self._session: Session = client.session
        self._read = read
        max_bytes = client.config.grpc_max_send_message_length - FRAME_OVERHEAD_BYTES
        chunks = (
            [items]
            if len(items) == 1
            else chunked(((item, item.size) for item in items), max_bytes)
        )
        self._triggers: list[Trigger] = [
            self._session.trigger(list(chunk), want_results) for chunk in chunks
        ]

    def ids(self) -> list[str]:
        """Wait until the engine has stored the runs; their ids in order. Raises if it has not
        created some, because other runs have their idempotency keys."""
        return self._all_created([trigger.ids.wait() for trigger in self._triggers])

    async def aio_ids(self) -> list[str]:
        return self._all_created([await trigger.ids.aio() for trigger in self._triggers])

    def outcomes(self) -> list[RunOutcome]:
        outcomes: list[RunOutcome] = []
        try:
            for trigger in self._triggers:
                assert trigger.gathering is not None
                outcomes += trigger.gathering.reply.wait()
        except BaseException:
            self._forget()
            raise
        return outcomes

    async def aio_outcomes(self) -> list[RunOutcome]:
        outcomes: list[RunOutcome] = []
        try:
            for trigger in self._triggers:
                assert trigger.gathering is not None
                outcomes += await trigger.gathering.reply.aio()
        except BaseException:
            self._forget()
            raise
        return outcomes

    def result(self) -> TResult:
        """Result of the only run. Raises what the run raised."""
        (outcome,) = self.outcomes()
        return self._read(self.ids()[0], outcome)

    async def aio_result(self) -> TResult:
        (outcome,) = await self.aio_outcomes()
        return self._read(self.ids()[0], outcome)

    def results(self, return_exceptions: bool) -> list[TResult | BaseException]:
        if not return_exceptions:
            try:
                self.ids()
            except BaseException:
                self._forget()
                raise
        outcomes = self.outcomes()
        return self._read_all(outcomes, return_exceptions)

    async def aio_results(self, return_exceptions: bool) -> list[TResult | BaseException]:
        if not return_exceptions:
            try:
                await self.aio_ids()
            except BaseException:
                self._forget()
                raise
        outcomes = await self.aio_outcomes()
        return self._read_all(outcomes, return_exceptions)

    def _read_all(
        self, outcomes: list[RunOutcome], return_exceptions: bool
    ) -> list[TResult | BaseException]:
        ids = [run_id for trigger in self._triggers for run_id in trigger.ids.wait()]
        collisions = self._collisions()
        results: list[TResult | BaseException] = []
        for index, (run_id, outcome) in enumerate(zip(ids, outcomes, strict=True)):
            try:
                if index in collisions:
                    raise collisions[index]
                results.append(self._read(text(run_id), outcome))
            except Exception as error:
                if not return_exceptions:
                    raise
                results.append(error)
        return results

    def _all_created(self, answers: list[list[bytes]]) -> list[str]:
        ids = [text(run_id) for answer in answers for run_id in answer]
        collisions = self._collisions()
        if not collisions:
            return ids
        if not self._bulk:
            raise collisions[0]
        created = [run_id for index, run_id in enumerate(ids) if index not in collisions]
        raise BulkTriggerIdempotencyCollisionError(created, list(collisions.values()))

    def _collisions(self) -> dict[int, IdempotencyCollisionError]:
        """Items that were not created, once the engine has answered."""
        found = {}
        first = 0  # item of a request
        for trigger in self._triggers:
            for index, holder in trigger.holders.items():
                item = first + index
                error = IdempotencyCollisionError(text(holder), item if self._bulk else None)
                found[item] = error
            first += trigger.count
        return found

    def _forget(self) -> None:
        """Nobody waits any more: do not keep the engine sending."""
        for trigger in self._triggers:
            gathering = trigger.gathering
            if gathering is not None and not gathering.reply.done and trigger.ids.done:
                self._session.unwatch(trigger.ids.wait(), gathering)


def text(run_id: bytes) -> str:
    """The usual spelling of an id.

    >>> text(bytes(16))
    '00000000-0000-0000-0000-000000000000'
    """
    digits = run_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def raw(run_id: str) -> bytes:
    """The 16 bytes of an id. Raises `ValueError` for anything that is not a UUID."""
    try:
        return UUID(run_id).bytes
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"not a run id (a UUID): {run_id!r}") from None
