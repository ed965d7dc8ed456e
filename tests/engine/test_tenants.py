"""Waiters hear of their own tenant's runs only."""

from __future__ import annotations

from uuid import UUID

from tests.support.engine import TENANT, Harness, Results

OTHER = UUID(int=7)


async def test_a_waiter_of_another_tenant_gets_nothing(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    stranger, late_stranger = Results(), Results()
    h.subscriptions.subscribe(OTHER, stranger, [run])
    await worker.complete(task)
    await h.result(run)
    h.subscriptions.subscribe(OTHER, late_stranger, [run])
    own = Results()
    h.subscriptions.subscribe(TENANT, own, [run])
    await own.of(run)  # looked up after the stranger's wish
    assert not stranger.by_run
    assert not late_stranger.by_run
