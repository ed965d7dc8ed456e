"""What the suites that every official SDK must pass have in common."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.wire.conftest import Bench
from tests.wire.sdks import Client, Sdk, Worker, new_key


class SdkTests:
    """A server with a worker, a worker with a single slot and a client of one SDK."""

    sdk: ClassVar[Sdk]

    @pytest.fixture(autouse=True)
    def prepared(self, bench: Bench) -> None:
        bench.prepare(self.sdk)

    @pytest.fixture
    def client(self, bench: Bench) -> Client:
        return bench.client(self.sdk)

    @pytest.fixture
    def worker(self, bench: Bench) -> Worker:
        return bench.worker(self.sdk)

    @pytest.fixture
    def narrow_worker(self, bench: Bench) -> Worker:
        return bench.narrow_worker(self.sdk)

    @pytest.fixture
    def key(self) -> str:
        return new_key()
