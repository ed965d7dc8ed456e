"""Graphs, conditions, children, events and streams with the official TypeScript SDK."""

from __future__ import annotations

import pytest

from tests.wire.graphs import GraphTests
from tests.wire.sdks import TYPESCRIPT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestTypescript(GraphTests):
    sdk = TYPESCRIPT
