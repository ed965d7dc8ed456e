"""The pool of connections that all reads of this package use."""

from __future__ import annotations

import asyncpg

CONNECTIONS_IDLE_S = 60.0
STATEMENT_TIMEOUT_S = 30.0
CACHED_STATEMENTS = 200


async def open_read_pool(
    dsn: str, *, connections_max: int, connect_timeout_s: float = 10.0
) -> asyncpg.Pool:
    """A pool whose connections are set up for lists and counts.

    Lists are planned for the values at hand: a plan that knows neither the limit nor the window
    (Postgres makes one after five uses) reads a hundred times more than needed, while planning
    costs a millisecond. A task and its outcome stand in partitions of the same day, and joins go
    day by day: Postgres takes a look-up in all days for as many look-ups, and would rather read
    the tables whole. Merging two tables pays only when all of both is wanted, never for the first
    20,000. Compiling queries never pays at this size. What takes too long is given up,
    so that a heavy question can't hold connections for ever.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=connections_max,
        max_inactive_connection_lifetime=CONNECTIONS_IDLE_S,
        statement_cache_size=CACHED_STATEMENTS,
        timeout=connect_timeout_s,
        server_settings={
            "application_name": "hatchet reads",
            "plan_cache_mode": "force_custom_plan",
            "enable_partitionwise_join": "on",
            "enable_mergejoin": "off",
            "jit": "off",
            "statement_timeout": str(int(STATEMENT_TIMEOUT_S * 1_000)),
        },
    )
