"""Pauses, and the concurrency keys that can be paused. An addition to the official API."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hatchet_engine.transports.rest.parameters import Instant, Text
from hatchet_engine.transports.rest.schemas.common import Schema, Uuid

NOTE_LENGTH_MAX = 1_000  # of "by" and "reason"
NAME_LENGTH_MAX = 1_000

Note = Annotated[Text, Field(max_length=NOTE_LENGTH_MAX)]
Name = Annotated[Text, Field(min_length=1, max_length=NAME_LENGTH_MAX)]


class PauseKindName(StrEnum):
    TENANT = "TENANT"
    WORKFLOW = "WORKFLOW"
    CONCURRENCY_KEY = "CONCURRENCY_KEY"
    RATE_LIMIT = "RATE_LIMIT"
    WORKER = "WORKER"


class Pause(Schema):
    kind: PauseKindName
    target: str  # with the kind, what ends the pause
    workflow_id: Uuid | None = None
    workflow_name: str | None = None
    task_name: str | None = None
    name: str | None = None  # of a concurrency rule that workflows share
    expression: str | None = None
    key: str | None = None  # of the concurrency rule, or of the rate limit
    worker_id: Uuid | None = None
    worker_name: str | None = None
    since: datetime
    until: datetime | None = None  # absent: until somebody ends it
    by: str
    reason: str
    queue_ttl: str | None = Field(None, alias="queueTTL")


class PauseList(Schema):
    rows: list[Pause]


class CreatePauseRequest(Schema):
    """What to pause: the tenant; a workflow (``workflowId``); a worker (``workerId``); a rate limit
    (``key``); or the ``key`` of a concurrency rule, which is chosen by ``workflowId`` or (if
    workflows share it) ``name``, and where that is not enough by ``taskName`` and
    ``expression``."""

    kind: PauseKindName
    workflow_id: UUID | None = None
    task_name: Name | None = None
    name: Name | None = None
    expression: Text | None = None
    key: Text | None = None
    worker_id: UUID | None = None
    until: Instant | None = None
    by: Note = ""
    reason: Note = ""
    queue_ttl: str | None = Field(None, alias="queueTTL")


class ConcurrencyKey(Schema):
    workflow_id: Uuid | None = None
    workflow_name: str | None = None
    task_name: str | None = None  # absent: the rule is for whole runs
    name: str | None = None
    expression: str
    key: str
    running: int  # hold a place: they run, or wait for a worker only
    waiting: int  # for a place
    max_runs: int | None = None
    is_paused: bool


class ConcurrencyKeyList(Schema):
    rows: list[ConcurrencyKey]
