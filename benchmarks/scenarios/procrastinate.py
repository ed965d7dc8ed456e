"""Peer: Procrastinate on the same Postgres as ours, with the same settings. It keeps no results."""

from __future__ import annotations

from benchmarks.support.peer_run import PeerScale, measure_peer
from benchmarks.support.peers import (
    PEERS_PYTHON,
    install_peers,
    peer_versions,
    postgres_server,
)
from benchmarks.support.places import PROGRAMS
from benchmarks.support.proc import tree_cpu_s
from benchmarks.support.processes import Program
from benchmarks.support.rows import Outcome
from benchmarks.support.scale import Scale


def run(scale: Scale) -> Outcome:
    install_peers()
    outcome = Outcome(details={"versions": peer_versions("procrastinate", "psycopg")})
    with postgres_server("procrastinate") as (postgres, dsn):
        environ = {"BENCH_DATABASE": dsn}
        client_command = [PEERS_PYTHON, str(PROGRAMS / "procrastinate_client.py")]
        worker_command = [PEERS_PYTHON, str(PROGRAMS / "procrastinate_tasks.py")]
        with Program("Procrastinate client", client_command, environ) as client:
            client.call("set_up")
            measure_peer(
                outcome,
                "Procrastinate, concurrency 10",
                client=client,
                start_worker=lambda: Program(
                    "Procrastinate worker", worker_command, environ, quiet=True
                ),
                services={"Postgres": lambda: tree_cpu_s(postgres.pid or 0)},
                scale=PeerScale(tasks=scale.pick(2_000, 500), samples=scale.pick(300, 100)),
                note="durable, no results; latency until the task runs",
            )
    return outcome
