from collections.abc import AsyncIterator

import pytest

from tests.unit.transports.fake_engine import Served, served


@pytest.fixture
async def line() -> AsyncIterator[Served]:
    """A server over a scripted engine, with a channel to it."""
    async with served() as one:
        yield one
