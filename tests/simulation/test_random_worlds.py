"""Random worlds against a real database: whatever happens, the invariants hold after every step.

A failure names its seed. To look at one seed alone, with the steps printed:

    .venv/bin/python -m tests.simulation.test_random_worlds SEED
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.runner import Seeds, look_at
from tests.simulation.world import World

SEEDS = Seeds(World, steps=60)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", SEEDS.firsts)
def test_invariants_hold_in_random_worlds(database: str, first: int) -> None:
    SEEDS.run(database, first)


if __name__ == "__main__":
    look_at(SEEDS.make, SEEDS.steps, sys.argv[1:])
