"""The writer's connection: one per owned shard, used by the turn alone."""

from __future__ import annotations

import asyncpg

# All statements of the turn are look-ups by key or reads of an index in order. Their generic
# plans are good for tables of any size, provided the planner is not tempted by a scan while a
# table is still small, or by the other index and a sort of the few rows that there are while the
# right index is still large from busier days: it would keep that plan when the table has grown.
# (Where no index has the order that is asked for, it sorts all the same.) An incremental sort is
# the same temptation: an index that has the first column of the order, and the rest sorted. Plans
# are also made again in between, whenever autovacuum has looked at a table. Settings don't keep it
# from joining before it looks up, or from the wrong index; so statements look rows up by "= any"
# of ids, by a lateral query with "offset 0", or (changes of rows by several columns) by the ctid
# that such a query has found. tests/store/test_plans_made_early.py goes through all of them.
SETTINGS = (
    "set plan_cache_mode = force_generic_plan",
    "set enable_seqscan = off",
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set enable_bitmapscan = off",
    "set enable_sort = off",
    "set enable_incremental_sort = off",
    "set jit = off",
    "set statement_timeout = '60s'",
)


async def prepare_writer(connection: asyncpg.Connection) -> None:
    """Settings of a writer's connection."""
    for setting in SETTINGS:
        await connection.execute(setting)
