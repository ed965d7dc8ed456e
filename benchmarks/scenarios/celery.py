"""Peer: Celery with Redis as broker and result backend. Redis writes nothing to disk here."""

from __future__ import annotations

from functools import partial

from benchmarks.support.peer_run import PeerScale, measure_peer
from benchmarks.support.peers import (
    PEERS_PYTHON,
    install_peers,
    peer_versions,
    redis_server,
)
from benchmarks.support.places import PROGRAMS
from benchmarks.support.processes import Program
from benchmarks.support.rows import Outcome
from benchmarks.support.scale import Scale

POOLS = {"prefork 2": ("prefork", 2), "threads 10": ("threads", 10)}


def run(scale: Scale) -> Outcome:
    install_peers()
    outcome = Outcome(details={"versions": peer_versions("celery", "kombu", "redis")})
    for title, (pool, concurrency) in POOLS.items():
        with redis_server() as (redis, url):
            environ = {"BENCH_BROKER": f"{url}/0", "BENCH_RESULTS": f"{url}/1"}
            command = [
                *(PEERS_PYTHON, "-m", "celery", f"--workdir={PROGRAMS}", "--app=celery_tasks"),
                *("worker", f"--pool={pool}", f"--concurrency={concurrency}"),
                "--loglevel=WARNING",
            ]
            client_command = [PEERS_PYTHON, str(PROGRAMS / "celery_client.py")]
            with Program("Celery client", client_command, environ) as client:
                measure_peer(
                    outcome,
                    f"Celery, {title}",
                    client=client,
                    start_worker=partial(Program, "Celery worker", command, environ, quiet=True),
                    services={"Redis": redis.cpu_s},
                    scale=PeerScale(tasks=scale.pick(4_000, 1_000), samples=scale.pick(300, 100)),
                    note="results kept, nothing fsynced",
                )
    return outcome
