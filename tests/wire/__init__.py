"""The official SDKs, unchanged, against the real server."""

import pytest

pytest.register_assert_rewrite("tests.wire.core", "tests.wire.graphs", "tests.wire.sdks")
