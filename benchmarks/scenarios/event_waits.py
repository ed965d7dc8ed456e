"""One event that wakes one run, while 10,000 other runs wait for events with other keys.

Compared with a second server where nobody else waits. Both run at the same time and take turns,
so that what else happens on the machine falls on both. The quiet server's figure is divided by the
other's: 1 is no slowdown, and the bar leaves room for noise.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.support.cpu import CpuMeter
from benchmarks.support.processes import Program
from benchmarks.support.rows import CpuSplit, Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import Server, running_server
from benchmarks.support.statistics import summary

PAUSE_S = 0.005
WARM_UP_SAMPLES = 50
# So many samples on one server, then as many on the other.
TURN_SAMPLES = 20
# As many as ASLEEP of `programs/our_flows.py`; each has a key of its own.
SLEEPING_FLOWS = 10
RATIO_BAR = at_least(0.9)


class Side:
    """A server with its worker and caller, and what has been measured there."""

    def __init__(self, stack: ExitStack) -> None:
        self._server: Server = stack.enter_context(running_server())
        worker = stack.enter_context(ready_worker(self._server, "--flows"))
        self.client: Program = stack.enter_context(our_client(self._server))
        self.times_ms: list[float] = []
        self._meter: CpuMeter = cpu_meter(self._server, worker, self.client)
        self._spent_s: dict[str, float] = {}
        self._took_s = 0.0

    def settle_plans(self) -> None:
        """Warm up while the table of waits is all but empty, and have Postgres notice its size.

        The engine keeps its plans; those of now must still be good when the table has grown.
        """
        self.client.call("wake_latency", samples=WARM_UP_SAMPLES, pause_s=PAUSE_S)
        self._server.fetch("ANALYZE task_wait")
        self.client.call("wake_latency", samples=WARM_UP_SAMPLES, pause_s=PAUSE_S)

    def measure(self) -> None:
        """Add one turn of samples."""
        with self._meter:
            self.times_ms += self.client.call("wake_latency", samples=TURN_SAMPLES, pause_s=PAUSE_S)
        self._took_s += self._meter.took_s
        for name, spent_s in self._meter.cpu_s.items():
            self._spent_s[name] = self._spent_s.get(name, 0.0) + spent_s

    def split(self, what: str) -> CpuSplit:
        """The CPU time of all turns, per sample."""
        return CpuSplit(what, len(self.times_ms), self._took_s, self._spent_s)


def run(scale: Scale) -> Outcome:
    waits, turns = 10_000, scale.pick(30, 8)
    with ExitStack() as stack:
        alone, among = Side(stack), Side(stack)
        for side in (alone, among):
            side.settle_plans()
        filled_s = sum(
            among.client.call("fill", task=f"bench-asleep-{n}", count=waits // SLEEPING_FLOWS)
            for n in range(SLEEPING_FLOWS)
        )
        for _ in range(turns):
            alone.measure()
            among.measure()
    quiet, busy = summary(alone.times_ms), summary(among.times_ms)
    title = f"event among {waits:,} waits"
    figures = f"p50 {quiet['p50']:.2f} ms without them, {busy['p50']:.2f} with"
    return Outcome(
        rows=[
            Row(f"{title}: without / with", quiet["p50"] / busy["p50"], "×", RATIO_BAR, figures),
            Row(f"{title}: starting these", waits / filled_s, "runs/s"),
        ],
        splits=[alone.split("woken by an event"), among.split(f"the same among {waits:,} waits")],
        details={"alone_ms": quiet, "among_ms": busy, "pause_s": PAUSE_S},
    )
