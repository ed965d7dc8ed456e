-- name: task_event_insert_many
insert into task_event (tenant_id, id, task_id, kind, attempt, worker_id, message, data)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::integer[],
                     $6::uuid[], $7::text[], $8::jsonb[]);

-- name: task_event_replays
-- How often tasks and runs were replayed: the attempt that their last replay began. $2: event kind.
select e.task_id, max(e.attempt) as attempt
from task_event e
where e.task_id = any ($1::uuid[]) and e.kind = $2 and e.id >= $3
group by e.task_id;

-- name: task_event_messages
-- The newest message of one kind of each task.
select distinct on (e.task_id) e.task_id, e.message
from task_event e
where e.task_id = any ($1::uuid[]) and e.kind = $2 and e.id >= $3
order by e.task_id, e.id desc;

-- name: event_exists
select exists (select 1 from event where tenant_id = $1 and id = $2);

-- name: event_insert_many
insert into event (tenant_id, id, key, scope, payload, metadata, priority, source)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
                     $7::smallint[], $8::text[]);

-- name: expression_failure_insert_many
insert into expression_failure (tenant_id, id, source, message)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]);

-- name: task_event_exists
select exists (select 1 from task_event where task_id = $1 and id = $2);
