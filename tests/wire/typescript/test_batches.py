"""Batch tasks with the official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.batches import BatchTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestBatches(BatchTests):
    sdk = TYPESCRIPT
