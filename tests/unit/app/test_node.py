"""A node tries again after every failure, whatever it was, and counts incidents apart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import asyncpg
import pytest

from hatchet_engine.app import node as nodes
from hatchet_engine.app.node import Node


class FakeEngine:
    def __init__(self) -> None:
        self.resigned = 0

    def resign(self) -> None:
        self.resigned += 1

    def stop(self) -> None: ...


class ScriptedNode(Node):
    """Each attempt to own the shard ends as the script says."""

    def __init__(self, script: list[Exception | Callable[[Node], Exception]]) -> None:
        self.fake = FakeEngine()
        super().__init__(self.fake, "postgresql://", "node")  # type: ignore[arg-type]
        self.script = script

    async def _own_once(self) -> bool:
        self._owned_at = None
        if not self.script:
            self.stop()
            return True
        step = self.script.pop(0)
        raise step(self) if callable(step) else step


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    asked: list[float] = []
    sleep = asyncio.sleep

    async def note(delay_s: float) -> None:
        asked.append(delay_s)
        await sleep(0)

    monkeypatch.setattr(nodes.asyncio, "sleep", note)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    return asked


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.InterfaceError("closed"),
        asyncpg.InternalClientError("cannot switch to state 11"),
        ConnectionRefusedError(),
        RuntimeError("a defect"),
    ],
)
async def test_no_failure_ends_a_node(error: Exception) -> None:
    node = ScriptedNode([error, error])
    await node.run()
    assert node.script == []
    assert node.fake.resigned == 0


async def test_callers_are_told_when_it_lasts(no_pauses: list[float]) -> None:
    node = ScriptedNode([ConnectionRefusedError() for _ in range(6)])
    await node.run()
    assert node.fake.resigned >= 1
    assert no_pauses == [0.05, 0.2, 0.5, 1.0, 2.0, 2.0]


async def test_a_node_that_worked_for_a_while_starts_counting_anew(no_pauses: list[float]) -> None:
    def after_a_while(node: Node) -> Exception:
        node._owned_at = -1_000_000.0
        return ConnectionRefusedError()

    node = ScriptedNode([after_a_while for _ in range(8)])
    await node.run()
    assert node.fake.resigned == 0
    assert set(no_pauses) == {0.05}
