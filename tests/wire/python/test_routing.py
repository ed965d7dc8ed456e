"""Sticky workflows and labels with the official Python SDK."""

from __future__ import annotations

import pytest

from tests.wire.routing import NewRoutingTests, RoutingTests
from tests.wire.sdks import PYTHON, PYTHON_OLD

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestRouting(NewRoutingTests):
    sdk = PYTHON


class TestRoutingOld(RoutingTests):
    sdk = PYTHON_OLD
