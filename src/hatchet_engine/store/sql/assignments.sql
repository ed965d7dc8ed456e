-- name: assignment_list
select a.task_id, a.tenant_id, a.queue_id, a.version_id, a.step, a.attempt, a.worker_id,
       a.app_retries, a.internal_retries, a.assigned_ms, a.deadline_ms, a.started_ms, a.released,
       a.demand::text as demand, a.batch_id, t.run_id, t.kind, t.priority
from assignment a
join task t on t.tenant_id = a.tenant_id and t.id = a.task_id;

-- name: assignment_insert_many
insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt, worker_id,
                        app_retries, internal_retries, assigned_ms, deadline_ms, demand, batch_id)
select task_id, tenant_id, queue_id, version_id, step, attempt, worker_id,
       app_retries, internal_retries, $11, deadline_ms, demand, batch_id
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::smallint[], $6::integer[],
            $7::uuid[], $8::smallint[], $9::smallint[], $10::bigint[], $12::jsonb[], $13::uuid[])
     as t (task_id, tenant_id, queue_id, version_id, step, attempt, worker_id, app_retries,
           internal_retries, deadline_ms, demand, batch_id);

-- name: assignment_insert_fresh
-- First attempts of one step.
insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt, worker_id,
                        app_retries, internal_retries, assigned_ms, deadline_ms)
select task_id, $1, $2, $3, $4, 0, worker_id, 0, 0, $5, $6
from unnest($7::uuid[], $8::uuid[]) as t (task_id, worker_id);

-- name: assignment_insert_asked
-- The same with what each of them asks for, and the batches they are in.
insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt, worker_id,
                        app_retries, internal_retries, assigned_ms, deadline_ms, demand, batch_id)
select task_id, $1, $2, $3, $4, 0, worker_id, 0, 0, $5, $6, demand, batch_id
from unnest($7::uuid[], $8::uuid[], $9::jsonb[], $10::uuid[])
     as t (task_id, worker_id, demand, batch_id);

-- name: assignment_delete_many
delete from assignment where task_id = any ($1::uuid[]);

-- name: assignment_set_many
update assignment a
set started_ms = k.started_ms, deadline_ms = k.deadline_ms, released = k.released
from (
    select i.place, k.started_ms, k.deadline_ms, k.released
    from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::boolean[])
         as k (task_id, started_ms, deadline_ms, released)
    cross join lateral (
        select ctid from assignment where task_id = k.task_id
        offset 0
    ) as i (place)
) as k
where a.ctid = k.place;

-- name: assignment_exists
select exists (select 1 from assignment where task_id = $1 and attempt = $2);
