"""Random runs of random workflows, step by step beside a reference model of the rules.

A failure names its seed. To look at one seed alone, with the steps printed:

    .venv/bin/python -m tests.simulation.test_random_dags SEED
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.dag_world import DagWorld
from tests.simulation.runner import look_at, run_seeds

SEEDS = 120
SEEDS_PER_TEST = 15
STEPS = 130
RUNS_MIN = 2_000  # in all


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_engine_and_reference_agree_about_random_runs(database: str, first: int) -> None:
    runs = run_seeds(DagWorld, STEPS, database, range(first, first + SEEDS_PER_TEST))
    assert runs >= RUNS_MIN * SEEDS_PER_TEST // SEEDS, "the worlds are too quiet to prove anything"


if __name__ == "__main__":
    look_at(DagWorld, STEPS, sys.argv[1:])
