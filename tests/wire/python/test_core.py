"""The official Python SDK, new and old."""

from __future__ import annotations

import pytest

from tests.wire.core import CoreTests
from tests.wire.sdks import PYTHON, PYTHON_OLD

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestPython(CoreTests):
    sdk = PYTHON


class TestPythonOld(CoreTests):
    sdk = PYTHON_OLD
