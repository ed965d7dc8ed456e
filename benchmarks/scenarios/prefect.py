"""Peer: Prefect with a server of its own, on the database it takes by default (SQLite). Only the
diamond that `dag_latency` measures of ours: its flows run in the process that calls them."""

from __future__ import annotations

from benchmarks.support.peers import (
    PEERS_PYTHON,
    install_peers,
    peer_versions,
)
from benchmarks.support.places import PROGRAMS, free_port, temporary_dir
from benchmarks.support.processes import Program
from benchmarks.support.rows import Outcome, Row
from benchmarks.support.scale import Scale
from benchmarks.support.statistics import summary

PAUSE_S = 0.01
NOTE = "flow in the caller's process; the server records"


def run(scale: Scale) -> Outcome:
    install_peers()
    port = free_port()
    with temporary_dir("prefect") as home:
        environ = {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "DO_NOT_TRACK": "1",
        }
        server_command = [
            *(PEERS_PYTHON, "-m", "prefect", "server", "start"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ]
        client_command = [PEERS_PYTHON, str(PROGRAMS / "prefect_client.py")]
        with (
            Program("Prefect server", server_command, environ, quiet=True),
            Program("Prefect client", client_command, environ) as client,
        ):
            client.call("warm_up")
            times_ms = client.call("latency", samples=scale.pick(50, 10), pause_s=PAUSE_S)
    latency = summary(times_ms)
    return Outcome(
        rows=[
            Row("Prefect: diamond of 4, p50", latency["p50"], "ms", note=NOTE),
            Row("Prefect: diamond of 4, p99", latency["p99"], "ms", note=NOTE),
        ],
        details={"versions": peer_versions("prefect"), "latency_ms": latency},
    )
