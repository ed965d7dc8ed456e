"""Batch tasks with the official Python SDK."""

from __future__ import annotations

import pytest

from tests.wire.batches import BatchTests
from tests.wire.sdks import PYTHON

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestBatches(BatchTests):
    sdk = PYTHON
