"""Random worlds with limits of every kind: none is ever broken, and nobody waits in vain.

A failure names its seed. To look at one seed alone, with the steps printed:

    .venv/bin/python -m tests.simulation.test_random_flow SEED
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.flow_world import FlowWorld
from tests.simulation.runner import look_at, run_seeds

SEEDS = 300
SEEDS_PER_TEST = 25
STEPS = 40
RUNS_PER_SEED_MIN = 10


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_limits_hold_in_random_worlds(database: str, first: int) -> None:
    runs = run_seeds(FlowWorld, STEPS, database, range(first, first + SEEDS_PER_TEST))
    assert runs > RUNS_PER_SEED_MIN * SEEDS_PER_TEST, "the worlds are too quiet to prove anything"


if __name__ == "__main__":
    look_at(FlowWorld, STEPS, sys.argv[1:])
