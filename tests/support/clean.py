"""Empties a database in a few milliseconds; a copy of the template takes two hundred."""

from __future__ import annotations

import asyncpg

# All the tables that an engine writes, children first. Their partitions stay.
_TABLES = (
    "queue_item",
    "delayed_item",
    "parked_item",
    "concurrency_place",
    "concurrency_limit",
    "rate_limit",
    "pause",
    "assignment",
    "task_wait",
    "event_filter",
    "cron",
    "scheduled_run",
    "event",
    "expression_failure",
    "stream_chunk",
    "bulk_operation",
    "idempotency_key",
    "task_event",
    "task_log",
    "outcome",
    "task",
    "worker",
    "queue",
    "workflow_version",
    "workflow",
    "api_token",
    "tenant",
)
_CLEAR = "; ".join(f"delete from {table}" for table in _TABLES)


async def clear(connection: asyncpg.Connection) -> None:
    await connection.execute(_CLEAR)
