"""Graphs, conditions, children, events and streams with the official Python SDK, new and old."""

from __future__ import annotations

import pytest

from tests.wire.graphs import GraphTests
from tests.wire.sdks import PYTHON, PYTHON_OLD

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestPython(GraphTests):
    sdk = PYTHON


class TestPythonOld(GraphTests):
    sdk = PYTHON_OLD
