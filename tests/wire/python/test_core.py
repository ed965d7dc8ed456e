"""The official Python SDK, new and old."""

from __future__ import annotations

import pytest

from tests.wire.core import CoreTests
from tests.wire.sdks import PYTHON, PYTHON_OLD

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestPython(CoreTests):
    sdk = PYTHON
    draining_statuses = ("PAUSED",)


class TestPythonOld(CoreTests):
    sdk = PYTHON_OLD
    draining_statuses = ("ACTIVE",)  # it does not pause itself
