"""Random worlds against a real database: whatever happens, the invariants hold after every step.

A failure names its seed. To look at one seed alone, with the steps printed:

    .venv/bin/python -m tests.simulation.test_random_worlds SEED
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.runner import look_at, run_seeds
from tests.simulation.world import World

SEEDS = 300
SEEDS_PER_TEST = 25
STEPS = 60
RUNS_PER_SEED_MIN = 10


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_invariants_hold_in_random_worlds(database: str, first: int) -> None:
    runs = run_seeds(World, STEPS, database, range(first, first + SEEDS_PER_TEST))
    assert runs > RUNS_PER_SEED_MIN * SEEDS_PER_TEST, "the worlds are too quiet to prove anything"


if __name__ == "__main__":
    look_at(World, STEPS, sys.argv[1:])
