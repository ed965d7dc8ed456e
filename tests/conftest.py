"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.postgres import (
    database,
    empty_database,
    empty_database_url,
    postgres_dsn,
    template_dsn,
)

__all__ = ["database", "empty_database", "empty_database_url", "postgres_dsn", "template_dsn"]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own settings and profiles out of tests, and tests out of them."""
    for name in list(os.environ):
        if name.startswith("HATCHET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HATCHET_CONFIG_DIR", str(tmp_path / "config"))
