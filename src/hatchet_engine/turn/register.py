"""Registration of workflows (REG-*). Rare, so it writes by itself within the turn's transaction."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from hatchet_engine.domain.definition import ConcurrencyRule, digest, from_json, to_json
from hatchet_engine.domain.registration_concurrency import differing, shared_rules
from hatchet_engine.domain.scopes import scope_of
from hatchet_engine.store import lines, schedules, workflows
from hatchet_engine.store import queue as queue_store
from hatchet_engine.turn import crons, filters
from hatchet_engine.turn.asks import Asks, Rule
from hatchet_engine.turn.commands import DeleteWorkflow, PutWorkflow, RegisteredWorkflow
from hatchet_engine.turn.definitions import Step, Version
from hatchet_engine.turn.queues import Queue
from hatchet_engine.turn.state import Hot, Turn
from hatchet_engine.turn.times import from_ms

log = structlog.get_logger("hatchet.turn")


async def put(
    connection: asyncpg.Connection, turn: Turn, command: PutWorkflow
) -> RegisteredWorkflow:
    """A new version, or the latest one when nothing changed (REG-1 to REG-5)."""
    definition = command.definition
    print_ = digest(definition)
    latest = turn.hot.definitions.latest.get((command.tenant_id, definition.name))
    if latest is not None and latest.digest == print_:
        return _answer(latest, changed=False)
    now = from_ms(turn.now_ms)
    if latest is None:
        workflow_id, number = turn.ids.new(turn.now_ms), 1
        await workflows.insert(
            connection,
            workflow_id,
            command.tenant_id,
            definition.name,
            definition.description,
            now,
        )
    else:
        workflow_id, number = latest.workflow_id, latest.number + 1
        await workflows.touch(connection, workflow_id, definition.description, now)
    version = Version(
        id=turn.ids.new(turn.now_ms),
        tenant_id=command.tenant_id,
        workflow_id=workflow_id,
        name=definition.name,
        number=number,
        digest=print_,
        definition=definition,
        created_ms=turn.now_ms,
    )
    await workflows.version_insert(
        connection,
        version.id,
        command.tenant_id,
        workflow_id,
        number,
        print_,
        to_json(definition),
        now,
    )
    await filters.declare(connection, turn, command.tenant_id, workflow_id, definition)
    await crons.declare(connection, turn, version)
    await attach_steps(connection, turn.hot, version)
    turn.hot.definitions.add(version, latest=True)
    _warn_of_differences(turn, version)
    return _answer(version, changed=True)


def _warn_of_differences(turn: Turn, version: Version) -> None:
    """Workflows that share a limit should agree on it. It is no error that they don't: whoever
    changes a limit registers one of them after the other."""
    mine = shared_rules(version.definition)
    for other in turn.hot.definitions.latest.values() if mine else ():
        if other.tenant_id != version.tenant_id or other is version:
            continue
        for name, theirs in shared_rules(other.definition).items():
            field = differing(mine.get(name, theirs), theirs)
            if field is not None:
                log.warning(
                    "shared_limit_differs",
                    limit=name,
                    field=field,
                    workflow=version.name,
                    value=getattr(mine[name], field),
                    other_workflow=other.name,
                    other_value=getattr(theirs, field),
                    effect="the run that came last for a key decides",
                )


async def delete(connection: asyncpg.Connection, turn: Turn, command: DeleteWorkflow) -> bool:
    """Soft delete (REG-19): no new runs; queued ones keep their version."""
    suffix = str(turn.ids.new(turn.now_ms))
    found = await workflows.delete(
        connection, command.tenant_id, command.workflow_id, from_ms(turn.now_ms), suffix
    )
    if found:
        await schedules.delete_workflow(connection, command.workflow_id)
    turn.hot.definitions.remove_workflow(command.tenant_id, command.workflow_id)
    return found


async def attach_steps(connection: asyncpg.Connection, hot: Hot, version: Version) -> None:
    """Resolve the version's tasks; a queue comes into being with the first task of its action."""
    for index, task in enumerate(version.definition.tasks):
        key = (version.tenant_id, task.action)
        queue = hot.queues_by_action.get(key)
        if queue is None:
            queue = Queue(await queue_store.insert(connection, *key), *key)
            hot.add_queue(queue)
        step = Step(version, index, task, queue)
        rules = await _rules(connection, version, task.concurrency, task.name)
        if rules or task.rate_limits or task.batch is not None:
            step.ask(Asks(rules, task.rate_limits, task.batch))
        version.steps.append(step)
        queue.expect(step.units)
    rules = await _rules(connection, version, version.definition.concurrency, None)
    if rules:
        version.limit(Asks(rules))
    version.link()


async def _rules(
    connection: asyncpg.Connection,
    version: Version,
    rules: list[ConcurrencyRule],
    task: str | None,
) -> list[Rule]:
    """A limit comes into being with the first rule of its scope."""
    attached: list[Rule] = []
    seen: Counter[str] = Counter()
    for rule in rules:
        scope = scope_of(rule, version.workflow_id, task, seen[rule.expression])
        if not rule.tenant_scoped:
            seen[rule.expression] += 1
        limit_id = await lines.limit_insert(
            connection, version.tenant_id, scope, rule.name, rule.expression
        )
        attached.append(Rule(rule, limit_id, run=task is None))
    return attached


async def load_versions(connection: asyncpg.Connection, hot: Hot, ids: set[UUID]) -> None:
    """Read older versions that live tasks still run under."""
    missing = [id for id in ids if id not in hot.definitions.versions]
    if missing:
        for row in await workflows.version_get_many(connection, missing):
            await add_version(connection, hot, row, latest=False)


async def add_version(connection: asyncpg.Connection, hot: Hot, row: Any, *, latest: bool) -> None:
    """Take a stored version into memory."""
    version = Version(
        id=row["version_id"],
        tenant_id=row["tenant_id"],
        workflow_id=row["workflow_id"],
        name=row["name"],
        number=row["number"],
        digest=row["digest"],
        definition=from_json(row["definition"]),
        created_ms=int(row["created_at"].timestamp() * 1_000),
    )
    await attach_steps(connection, hot, version)
    hot.definitions.add(version, latest=latest)


def _answer(version: Version, *, changed: bool) -> RegisteredWorkflow:
    return RegisteredWorkflow(
        version.workflow_id, version.id, version.number, version.created_ms, changed
    )
