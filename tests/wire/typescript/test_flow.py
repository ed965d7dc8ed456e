"""Concurrency and rate limits with the official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.flow import NewFlowTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestTypescript(NewFlowTests):
    sdk = TYPESCRIPT
