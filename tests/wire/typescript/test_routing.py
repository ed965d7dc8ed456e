"""Sticky workflows and labels with the official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.routing import NewRoutingTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestRouting(NewRoutingTests):
    sdk = TYPESCRIPT
