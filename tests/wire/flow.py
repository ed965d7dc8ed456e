"""Concurrency and rate limits: what every official SDK must do.

class TestFlow(FlowTests):
    sdk = TYPESCRIPT
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from typing import Any

import pytest

from tests.wire.base import SdkTests
from tests.wire.sdks import Client, Worker, new_key

QUIET_S = 0.5  # how long nothing must happen where nothing should
WINDOW_S = 0.95  # of a rate limit; the clock of the engine may differ by 50 ms


class FlowTests(SdkTests):
    """The workflows are in `flows.py` and `flows.mjs` of the programs."""

    @pytest.fixture
    def group(self) -> str:
        return new_key()

    # --- concurrency of tasks ---------------------------------------------------------------

    def test_con_4_round_robin_lets_all_wait(
        self, client: Client, worker: Worker, group: str
    ) -> None:
        keys = [new_key() for _ in range(4)]
        runs = [client.start("turns", key, group=group) for key in keys]
        other = new_key()
        client.start("turns", other, group=new_key())
        worker.wait_event(other, "start")  # keys are independent
        worker.wait_event(keys[1], "start")
        time.sleep(QUIET_S)
        assert [len(worker.events(key, "start")) for key in keys] == [1, 1, 0, 0]
        assert client.call("get", run_id=runs[2])["status"] == "QUEUED"
        worker.open_gate(keys[0])
        worker.wait_event(keys[2], "start")
        assert not worker.events(keys[3], "start")
        for key in (*keys, other):
            worker.open_gate(key)
        for run_id in runs:
            client.wait_status(run_id, "COMPLETED")

    def test_con_4_priority_inside_a_key(self, client: Client, worker: Worker, group: str) -> None:
        keys = [new_key() for _ in range(4)]
        for key, priority in zip(keys, (1, 1, 1, 3), strict=True):
            client.start("turns", key, group=group, priority=priority)
        worker.wait_event(keys[1], "start")
        worker.open_gate(keys[0])
        worker.wait_event(keys[3], "start")
        assert not worker.events(keys[2], "start")
        for key in keys:
            worker.open_gate(key)
        worker.wait_event(keys[2], "end")

    def test_con_5_cancel_in_progress_keeps_the_newest(
        self, client: Client, worker: Worker, group: str
    ) -> None:
        *keys, last = [new_key() for _ in range(4)]
        runs = []
        for key in keys:
            runs.append(client.start("newest", key, group=group))
            worker.wait_event(key, "start")
        kept = client.start("newest", last, group=group)
        for run_id in runs:
            client.wait_status(run_id, "CANCELLED")
        for key in keys:
            worker.wait_event(key, "cancelled")  # the worker was told
        worker.open_gate(last)
        client.wait_status(kept, "COMPLETED")

    def test_con_5_low_priority_newcomer_is_cancelled(
        self, client: Client, worker: Worker, group: str, key: str
    ) -> None:
        kept = client.start("newest", key, group=group, priority=3)
        late = client.start("newest", new_key(), group=group, priority=1)
        client.wait_status(late, "CANCELLED")
        worker.open_gate(key)
        client.wait_status(kept, "COMPLETED")

    def test_con_6_cancel_newest_keeps_what_runs(
        self, client: Client, worker: Worker, group: str, key: str
    ) -> None:
        kept = client.start("first", key, group=group)
        worker.wait_event(key, "start")
        late = [client.start("first", new_key(), group=group) for _ in range(3)]
        for run_id in late:
            client.wait_status(run_id, "CANCELLED")
        worker.open_gate(key)
        client.wait_status(kept, "COMPLETED")

    def test_con_2_bad_key_fails_the_run(self, client: Client, key: str, group: str) -> None:
        run = client.wait_status(client.start("bad-key", key, group=group), "FAILED")
        [task] = run["tasks"]
        assert task["error"].startswith("failed to parse step expression")

    def test_con_8_two_keys(self, client: Client, worker: Worker, group: str) -> None:
        letters = [f"{group}-{letter}" for letter in range(6)]
        pairs = itertools.islice(itertools.cycle(itertools.product("012345", letters)), 100)
        inputs = [{"key": group, "digit": digit, "group": name} for digit, name in pairs]
        client.call("run_many", task="two-keys", inputs=inputs, timeout_s=60)
        events = sorted(worker.events(group), key=lambda event: event["at"])
        assert len(events) == 200
        held: Counter[Any] = Counter()
        most: Counter[Any] = Counter()
        for event in events:
            for held_key in (("digit", event["digit"]), ("name", event["group"])):
                held[held_key] += 1 if event["kind"] == "start" else -1
                most[held_key] = max(most[held_key], held[held_key])
        assert all(most["digit", digit] <= 8 for digit in "012345")
        assert all(most["name", name] <= 3 for name in letters)

    # --- concurrency of runs ----------------------------------------------------------------

    def test_con_5_newest_run_of_two_tasks(
        self, client: Client, worker: Worker, group: str
    ) -> None:
        keys = [new_key() for _ in range(3)]
        runs = []
        for key in keys:
            runs.append(client.start("newest-run", key, group=group))
            worker.wait_event(key, "start")
        for run_id in runs[:2]:
            run = client.wait_status(run_id, "CANCELLED")
            assert {task["status"] for task in run["tasks"]} == {"CANCELLED"}
        worker.open_gate(keys[2])
        client.wait_status(runs[2], "COMPLETED")
        assert [bool(worker.events(key, "two")) for key in keys] == [False, False, True]

    def test_con_10_locked_twice_is_no_deadlock(self, client: Client, group: str) -> None:
        began = time.monotonic()
        runs = [client.start("locked-twice", new_key(), group=group) for _ in range(2)]
        for run_id in runs:
            client.wait_status(run_id, "FAILED")
        assert time.monotonic() - began < 12

    @pytest.mark.parametrize("flow", ["hops-newest", "hops-turns"])
    def test_con_11_hops_are_quick(
        self, client: Client, worker: Worker, key: str, group: str, flow: str
    ) -> None:
        began = time.monotonic()
        client.run(flow, key, group=group)
        assert time.monotonic() - began < 6
        assert len(worker.events(key, "hop")) == 4

    # --- rate limits ------------------------------------------------------------------------

    def test_rl_16_static(self, client: Client, worker: Worker, group: str) -> None:
        api = f"wire-api-{self.sdk.name}"
        began = time.time()
        client.call("put_rate_limit", limit_key=api, limit=2)
        inputs = [{"key": group} for _ in range(5)]
        client.call("run_many", task="metered", inputs=inputs)
        starts = sorted(event["at"] for event in worker.events(group, "start"))
        # Two in each window, and a window begins with its first task.
        assert starts[2] - began > WINDOW_S
        assert starts[4] - began > 2 * WINDOW_S
        assert starts[4] - began < 6

    def test_rl_16_dynamic(self, client: Client, worker: Worker, group: str) -> None:
        mine, other = new_key(), new_key()
        began = time.time()
        for key in (mine, mine, mine, other):
            client.start("metered-by-key", key, group=key, number=4)
        worker.wait_event(other, "start")
        client.wait_until(
            lambda: worker.events(mine, "start"), lambda found: len(found) == 3, "all have begun"
        )
        starts = [event["at"] for event in worker.events(mine, "start")]
        assert starts[2] - began > 2 * WINDOW_S
        assert worker.events(other, "start")[0]["at"] < starts[1]


class NewFlowTests(FlowTests):
    """What older versions of the SDKs do not know."""

    @pytest.mark.parametrize(
        ("task", "ends"),
        [
            ("one-newest", ["COMPLETED", "CANCELLED", "CANCELLED", "COMPLETED"]),
            ("one-oldest", ["COMPLETED", "COMPLETED", "CANCELLED", "CANCELLED"]),
        ],
    )
    def test_strategies_that_let_one_wait(
        self, client: Client, worker: Worker, group: str, task: str, ends: list[str]
    ) -> None:
        keys = [new_key() for _ in range(4)]
        runs = [client.start(task, key, group=group) for key in keys]
        for key in keys:
            worker.open_gate(key)
        for run_id, status in zip(runs, ends, strict=True):
            client.wait_status(run_id, status)

    def test_places_by_expression(self, client: Client, worker: Worker, group: str) -> None:
        keys = [new_key() for _ in range(4)]
        for key in keys:
            client.start("max-runs", key, group=group, number=3)
        worker.wait_event(keys[2], "start")
        time.sleep(QUIET_S)
        assert not worker.events(keys[3], "start")
        for key in keys:
            worker.open_gate(key)
        worker.wait_event(keys[3], "end")

    def test_rate_limits_are_listed(self, client: Client, key: str, group: str) -> None:
        client.call("put_rate_limit", limit_key=f"listed-{group}", limit=2)
        client.run("metered-by-key", key, group=group, number=1)
        fixed, used = sorted(client.call("rate_limits", search=group), key=lambda row: row["key"])
        assert fixed == {"key": f"listed-{group}", "limit": 2, "value": 2, "window": "1 SECOND"}
        assert (used["key"], used["limit"], used["window"]) == (f"wire-{group}", 4, "1 SECOND")
        assert used["value"] in (3, 4)  # 4 once the second is over
