"""Restarts and the official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.restarts import RestartTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.chaos, pytest.mark.timeout(120)]


class TestTypescript(RestartTests):
    sdk = TYPESCRIPT
