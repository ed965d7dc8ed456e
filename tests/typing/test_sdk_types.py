"""Runs mypy over the cases: a wrong type, or an error that is no longer found, fails here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_types_of_the_sdk() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", str(HERE / "sdk_cases.py")]
    root = HERE.parents[1]
    done = subprocess.run(
        command,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(root / "src")},
    )
    assert done.returncode == 0, done.stdout
