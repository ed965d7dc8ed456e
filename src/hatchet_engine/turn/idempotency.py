"""Idempotency keys of new runs (ID-*): asked for, looked up once for the turn, taken and freed.

New runs of workflows with keys ask for them before the turn decides (:meth:`Keys.ask`), so that one
read finds who holds them (:meth:`Keys.read`); then each run takes its key or learns who has it. A
claim is written together with its run, so one can't exist without the other (ID-2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import asyncpg

from hatchet_engine.domain.idempotency import STATUS, key_of
from hatchet_engine.store import idempotency as store
from hatchet_engine.turn.definitions import Version

if TYPE_CHECKING:
    from hatchet_engine.turn.state import Turn


class KeyTaken(Exception):
    """A run was not made, because ``holder`` has its key. ``run_id`` is the id it would have."""

    def __init__(self, run_id: UUID, holder: UUID) -> None:
        super().__init__("idempotency key collision")
        self.run_id = run_id
        self.holder = holder


class Holder(NamedTuple):
    run_id: UUID
    expires_ms: int


class Keys:
    """What a turn knows of keys and their holders. Keys belong to a workflow (ID-1)."""

    def __init__(self) -> None:
        # By version, input and metadata: equal runs have equal keys, or fail alike.
        self._texts: dict[tuple[UUID, str, str | None], str | ValueError] = {}
        self._holders: dict[tuple[UUID, str], Holder | None] = {}
        self._unread: set[tuple[UUID, str]] = set()
        self._displaced: set[UUID] = set()  # runs whose expired claims were taken over

    def ask(self, version: Version, input: str, metadata: str | None) -> None:
        """A run like this may come: its key will be needed."""
        place = (version.id, input, metadata)
        config = version.definition.idempotency
        if config is None or place in self._texts:
            return
        try:
            key = self._texts[place] = key_of(config, input, metadata)
        except ValueError as error:
            self._texts[place] = error
        else:
            wanted = (version.workflow_id, key)
            if wanted not in self._holders:
                self._holders[wanted] = None
                self._unread.add(wanted)

    async def read(self, connection: asyncpg.Connection) -> None:
        """Look up who holds what was asked for since the last time."""
        if self._unread:
            for row in await store.holders(connection, list(self._unread)):
                place = (row["workflow_id"], row["key"])
                self._holders[place] = Holder(row["run_id"], row["expires_ms"])
            self._unread.clear()

    def of(self, version: Version, input: str, metadata: str | None) -> str:
        """The key of a run that was asked for. Raises a ValueError that says why it has none."""
        found = self._texts[version.id, input, metadata]
        if isinstance(found, ValueError):
            raise found
        return found

    def take(self, turn: Turn, version: Version, key: str, run_id: UUID) -> None:
        """Claim a key for a new run, or raise ``KeyTaken``."""
        config = version.definition.idempotency
        assert config is not None
        holder = self._holders[version.workflow_id, key]
        if holder is not None:
            if holder.expires_ms > turn.now_ms:
                raise KeyTaken(run_id, holder.run_id)
            self._displaced.add(holder.run_id)
        expires_ms = turn.now_ms + config.ttl_ms
        self._holders[version.workflow_id, key] = Holder(run_id, expires_ms)
        until_end = config.method == STATUS
        turn.plan.claims[run_id] = (
            version.tenant_id,
            version.workflow_id,
            key,
            run_id,
            until_end,
            expires_ms,
        )

    def displaced(self, run_id: UUID) -> bool:
        return run_id in self._displaced


def free_keys(turn: Turn) -> None:
    """Free what the runs that ended in this turn have held until their end (ID-6, ID-7). It is
    free once the turn is stored, which is before anybody hears of the end."""
    ended = [one.run_id for one in turn.finished if one.step.version.frees_key]
    ended += [run.run_id for run in turn.finished_runs if run.version.frees_key]
    for run_id in ended:
        # A row that was taken over is another run's; one of this turn is not stored yet.
        if turn.plan.claims.pop(run_id, None) is None and not turn.keys.displaced(run_id):
            turn.plan.keys_freed.append(run_id)
