"""Random worlds with limits of every kind: none is ever broken, and nobody waits in vain.

A failure names its seed. To look at one seed alone, with the steps printed:

    .venv/bin/python -m tests.simulation.test_random_flow SEED
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.flow_world import FlowWorld
from tests.simulation.runner import Seeds, look_at

SEEDS = Seeds(FlowWorld, steps=40)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", SEEDS.firsts)
def test_limits_hold_in_random_worlds(database: str, first: int) -> None:
    SEEDS.run(database, first)


if __name__ == "__main__":
    look_at(SEEDS.make, SEEDS.steps, sys.argv[1:])
