"""Sticky workflows and labels with the official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.routing import RoutingTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestRouting(RoutingTests):
    sdk = TYPESCRIPT
