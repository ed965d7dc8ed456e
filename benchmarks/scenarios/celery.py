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
from benchmarks.support.rows import Outcome, Row
from benchmarks.support.scale import Scale
from benchmarks.support.statistics import median

CHORD_TASKS = 1_000
CHAIN_TASKS = 100
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
            start_worker = partial(Program, "Celery worker", command, environ, quiet=True)
            with Program("Celery client", client_command, environ) as client:
                measure_peer(
                    outcome,
                    f"Celery, {title}",
                    client=client,
                    start_worker=start_worker,
                    services={"Redis": redis.cpu_s},
                    scale=PeerScale(tasks=scale.pick(4_000, 1_000), samples=scale.pick(300, 100)),
                    note="results kept, nothing fsynced",
                )
                with start_worker():
                    outcome.rows += _shapes(f"Celery, {title}", client, scale)
    return outcome


def _shapes(title: str, client: Program, scale: Scale) -> list[Row]:
    """What `fan_out` and `dag_latency` measure of ours: a chord and a chain."""
    samples = scale.pick(7, 3)
    client.call("warm_up")
    chord_s = median(client.call("chord_of", count=CHORD_TASKS, samples=samples))
    chain_ms = median(client.call("chain_of", count=CHAIN_TASKS, samples=samples))
    return [
        Row(f"{title}: chord of 1,000, median", chord_s, "s"),
        Row(f"{title}: chain of 100, per task", chain_ms, "ms"),
    ]
