"""Shows the output of servers and workers when a test fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.processes import output_since


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    item.user_properties.append(("began", time.monotonic()))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed:
        report.sections += output_since(dict(item.user_properties)["began"])
    return report


@pytest.fixture(autouse=True)
def quiet_asyncio() -> None:
    """Two loops of one process, of which one uses grpc.aio, make it log harmless noise."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
