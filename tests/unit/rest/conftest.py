"""Fixtures of the REST tests."""

from __future__ import annotations

from tests.support.rest import api, official_models

__all__ = ["api", "official_models"]
