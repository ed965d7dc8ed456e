"""Restarts and the official Python SDK, new and old."""

from __future__ import annotations

import pytest

from tests.wire.restarts import RestartTests
from tests.wire.sdks import PYTHON, PYTHON_OLD

pytestmark = [pytest.mark.wire, pytest.mark.chaos, pytest.mark.timeout(120)]


class TestPython(RestartTests):
    sdk = PYTHON


class TestPythonOld(RestartTests):
    sdk = PYTHON_OLD
    connected_line = "listener established"
