-- Where tasks stand that have not ended, and who stands before them.

-- name: standings
-- $2: ids of tasks, or of runs that wait to begin; $3 and $4: the smallest and the largest of them.
select i.task_id, 'queue' as kind, '' as line, i.queue_id, i.rank, i.round, i.attempt,
       i.queued_ms as since_ms, i.schedule_timeout_ms as until_ms, i.demand::text as demand, 0 as retries
from task t
join workflow_version v on v.id = t.version_id
join queue q on q.tenant_id = $1
            and q.action = v.definition #>> array['tasks', t.step::text, 'action']
cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
cross join lateral (
    select * from queue_item
    where queue_id = q.id and rank = r.rank and task_id = t.id
    offset 0
) i
where t.tenant_id = $1 and t.id = any ($2::uuid[]) and t.id >= $3 and t.id <= $4 and t.kind <> 1
union all
select p.task_id, 'line', p.line, 0, p.rank, 0, p.attempt, p.queued_ms, p.schedule_timeout_ms,
       p.demand::text, 0
from parked_item p
where p.tenant_id = $1 and p.task_id = any ($2::uuid[])
union all
select d.task_id, 'backoff', '', d.queue_id, 0, 0, d.attempt, null, d.due_ms, d.demand::text,
       d.app_retries
from delayed_item d
where d.tenant_id = $1 and d.task_id = any ($2::uuid[])
union all
select a.task_id, 'worker', '', a.queue_id, 0, 0, a.attempt, a.assigned_ms, a.deadline_ms,
       a.demand::text, 0
from assignment a
where a.tenant_id = $1 and a.task_id = any ($2::uuid[]);

-- name: standing_waits
select x.task_id, x.position, x.due_ms, x.event_key, x.event_scope, x.met
from task_wait x
where x.tenant_id = $1 and x.task_id = any ($2::uuid[])
order by x.task_id, x.position;

-- name: ahead_in_line
-- $4: most that are counted.
select count(*) from (
    select from parked_item
    where line = $1 and (rank, task_id) < ($2::smallint, $3::uuid)
    limit $4
) p;

-- name: ahead_in_queue
-- Of a task without a round: it comes after all of lower ranks, and before those of its own rank
-- that have one.
select count(*) filter (where rank < $2 or round = 0) from (
    select rank, round from queue_item
    where queue_id = $1 and (rank, task_id) < ($2::smallint, $3::uuid)
    limit $4
) i;

-- name: ahead_in_queue_fair
-- Of a task with a round. Those without one are few, where there are any: only while a definition
-- has just gained its rules.
select (select count(*) from (
            select from queue_item
            where queue_id = $1 and round <> 0
              and (rank, round, task_id) < ($2::smallint, $5::bigint, $3::uuid)
            limit $4
        ) i)
     + (select count(*) filter (where round = 0) from (
            select round from queue_item
            where queue_id = $1 and rank <= $2
            order by rank, task_id
            limit $4
        ) i);

-- name: place_holders
select p.holder_id, p.taken_ms, t.version_id
from concurrency_place p
join task t on t.tenant_id = $1 and t.id = p.holder_id and t.id >= $4 and t.id <= $5
where p.tenant_id = $1 and p.holder_id = any ($2::uuid[]) and p.line = $3
order by p.taken_ms, p.holder_id;

-- name: limits_of_keys
select key, limit_value, window_length, remaining, began_ms
from rate_limit
where tenant_id = $1 and key = any ($2::text[]);

-- name: scheduled_of
select workflow_id, due_ms, declarative, fired_ms, run_id, error, created_at
from scheduled_run
where tenant_id = $1 and id = $2;
