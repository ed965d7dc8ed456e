"""The invariants of the queue, checked by queries on a database alone; its engine may run.

    await check_stored(connection)               # at any moment
    await check_stored(connection, at_rest=True)  # when all work has ended

Each query finds what contradicts a rule; the numbers are those of the list of invariants a task
engine must keep: 1 nothing is lost, 2 one live attempt, 3 slots, 7 an end is final, 9 one child per
key. (Order, 6, is no property of rows; concurrency, rate limits and schedules are not there yet.)
"""

from __future__ import annotations

import asyncpg

# Where a task that is not itself a run of several tasks can be.
_PLACES = """
places as (
    select task_id, 'queued' as place, attempt, app_retries, internal_retries from queue_item
    union all
    select task_id, 'delayed', attempt, app_retries, internal_retries from delayed_item
    union all
    select task_id, 'parked', attempt, app_retries, internal_retries from parked_item
    where step >= 0
    union all
    select task_id, 'assigned', attempt, app_retries, internal_retries from assignment
    union all
    select id, 'ended', attempt, null, null from outcome
)"""

# What ended an attempt without ending the task. A replay starts a new count.
_STEPS = """
replayed as (select distinct task_id from task_event where kind = 7),
steps as (
    select task_id, attempt, kind, count(*) as times
    from task_event
    where kind in (1, 3, 4) and task_id not in (select task_id from replayed)
    group by 1, 2, 3
)"""

RULES: dict[str, str] = {
    "1/2: a task is in exactly one place": f"""
        with {_PLACES}
        select t.id, array_agg(p.place) as places
        from task t left join places p on p.task_id = t.id
        where t.kind <> 1
        group by t.id having count(p.place) <> 1""",
    "1: every row of a task has its task": f"""
        with {_PLACES}
        select p.* from places p where not exists (select from task t where t.id = p.task_id)
        union all
        select e.task_id, 'event', e.attempt, null, null from task_event e
        where not exists (select from task t where t.id = e.task_id)""",
    "2: at most one outcome per task": """
        select id, count(*) from outcome group by id having count(*) > 1""",
    "2: an assignment names a worker that exists": """
        select a.task_id, a.worker_id from assignment a
        where not exists (select from worker w where w.id = a.worker_id)""",
    "2: attempts follow one another without a gap": f"""
        with {_STEPS}, {_PLACES}
        select p.task_id, p.place, p.attempt, array_agg(s.attempt order by s.attempt) as ended
        from places p left join steps s on s.task_id = p.task_id and s.attempt < p.attempt
        where p.task_id not in (select task_id from replayed)
        group by p.task_id, p.place, p.attempt
        having count(distinct s.attempt) <> p.attempt""",
    "2: an attempt ends once": f"""
        with {_STEPS}
        select task_id, attempt, array_agg(kind) as kinds from steps
        group by task_id, attempt having sum(times) > 1""",
    "7: nothing ends an attempt later than the last one": f"""
        with {_STEPS}, {_PLACES}
        select s.task_id, s.attempt, s.kind, p.place, p.attempt as last
        from steps s join places p on p.task_id = s.task_id
        where s.attempt > p.attempt or (p.place <> 'ended' and s.attempt = p.attempt)""",
    "retries are counted: by users' failures and by lost workers": f"""
        with {_STEPS}, {_PLACES}
        select p.task_id, p.place, p.app_retries, p.internal_retries,
               count(s.kind) filter (where s.kind <> 4) as failed,
               count(s.kind) filter (where s.kind = 4) as reassigned
        from places p left join steps s on s.task_id = p.task_id
        where p.place <> 'ended' and p.task_id not in (select task_id from replayed)
        group by 1, 2, 3, 4
        having p.app_retries <> count(s.kind) filter (where s.kind <> 4)
            or p.internal_retries <> count(s.kind) filter (where s.kind = 4)""",
    "a task gets no more attempts than its retries and its lost workers allow": f"""
        with {_STEPS}
        select t.id, o.attempt, count(s.kind) as reassigned
        from task t
        join outcome o on o.id = t.id
        join workflow_version v on v.id = t.version_id
        left join steps s on s.task_id = t.id and s.kind = 4 and s.attempt < o.attempt
        where t.kind <> 1 and t.id not in (select task_id from replayed)
        group by t.id, o.attempt, v.definition, t.step
        having o.attempt > (v.definition -> 'tasks' -> t.step ->> 'retries')::integer
                           + count(s.kind)""",
    "the times of an end are in order": """
        select id, assigned_at, started_at, finished_at from outcome
        where not (coalesce(assigned_at, finished_at) <= finished_at
                   and coalesce(started_at, finished_at) <= finished_at
                   and coalesce(assigned_at <= started_at, true))""",
    "3: no worker has more on it than its slots": """
        with used as (
            select a.worker_id, slot.key, sum(slot.value::integer) as units
            from (
                select distinct on (coalesce(batch_id, task_id)) * from assignment
            ) a  -- a batch takes its slots once
            join workflow_version v on v.id = a.version_id
            cross join lateral jsonb_each_text(
                case when v.definition -> 'tasks' -> a.step -> 'slots' = '{}'::jsonb
                     then '{"default": 1}'::jsonb
                     else v.definition -> 'tasks' -> a.step -> 'slots' end) slot
            where not a.released
            group by 1, 2
        )
        select u.* from used u join worker w on w.id = u.worker_id
        where u.units > coalesce((w.slots ->> u.key)::integer, 0)""",
    "members of a batch share worker, step and slot": """
        select batch_id, count(*) from assignment where batch_id is not null group by batch_id
        having count(distinct (worker_id, version_id, step, released, demand ->> 'group')) > 1""",
    "BA-4: no more batches of a group than may run": """
        select a.version_id, a.step, a.demand ->> 'group', count(distinct a.batch_id)
        from assignment a
        join workflow_version v on v.id = a.version_id
        where a.batch_id is not null
        group by 1, 2, 3, v.definition
        having count(distinct a.batch_id) >
               (v.definition -> 'tasks' -> a.step -> 'batch' ->> 'group_max_runs')::integer""",
    "ID-6, ID-7: a run that has ended holds no key until its end": """
        select k.* from idempotency_key k join outcome o on o.id = k.run_id where k.until_end""",
    "ID-2: the holder of a key exists, and was created under it": """
        select k.* from idempotency_key k
        where not exists (select from task t
                          where t.id = k.run_id and t.tenant_id = k.tenant_id
                            and t.workflow_id = k.workflow_id and t.idempotency_key = k.key)""",
    "9: one child per key": """
        select parent_task_id, child_key, child_index, count(*) from task
        where parent_task_id is not null and (child_key is not null or child_index is not null)
        group by 1, 2, 3 having count(*) > 1""",
}

AT_REST: dict[str, str] = {
    f"{table} is empty at rest": f"select * from {table}"
    for table in ("queue_item", "delayed_item", "assignment", "task_wait")
}

SHOWN_MAX = 5


async def check_stored(connection: asyncpg.Connection, *, at_rest: bool = False) -> None:
    """Fail with every broken rule and some of the rows that break it."""
    broken = []
    # One moment for all queries, while the engine goes on.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for rule, query in (RULES | (AT_REST if at_rest else {})).items():
            rows = await connection.fetch(query)
            if rows:
                shown = "\n    ".join(str(dict(row)) for row in rows[:SHOWN_MAX])
                broken.append(f"{rule}: {len(rows)} rows\n    {shown}")
    assert not broken, "\n".join(broken)
