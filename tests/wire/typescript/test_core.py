"""The official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.core import CoreTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestTypescript(CoreTests):
    sdk = TYPESCRIPT
    draining_statuses = ("INACTIVE",)  # it pauses and unsubscribes before its tasks have finished
