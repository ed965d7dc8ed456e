-- name: outcome_insert_completed
-- Tasks of one tenant that completed on a worker: nearly all.
insert into outcome (tenant_id, id, status, kind, attempt, finished_at, assigned_at, started_at,
                     worker_id, output)
select $1, id, 2, kind, attempt, $2,
       to_timestamp(assigned_ms / 1000.0), to_timestamp(started_ms / 1000.0), worker_id, output
from unnest($3::uuid[], $4::smallint[], $5::integer[], $6::bigint[], $7::bigint[], $8::uuid[],
            $9::text[])
     as t (id, kind, attempt, assigned_ms, started_ms, worker_id, output);

-- name: outcome_insert_many
insert into outcome (tenant_id, id, status, kind, attempt, finished_at, assigned_at, started_at,
                     worker_id, output, error, skipped)
select tenant_id, id, status, kind, attempt, $12,
       to_timestamp(assigned_ms / 1000.0), to_timestamp(started_ms / 1000.0),
       worker_id, output, error, skipped
from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[], $5::integer[], $6::bigint[],
            $7::bigint[], $8::uuid[], $9::text[], $10::text[], $11::boolean[])
     as t (tenant_id, id, status, kind, attempt, assigned_ms, started_ms, worker_id, output, error,
           skipped);

-- name: outcome_get_many
select o.id, o.status, o.attempt, o.finished_at, o.output, o.error, o.worker_id,
       o.assigned_at, o.started_at, o.skipped
from outcome o
where o.tenant_id = $1 and o.id = any ($2::uuid[]) and o.id >= $3 and o.id <= $4;

-- name: outcome_delete_many
-- $1: the tenants of all these tasks, each once.
delete from outcome
where tenant_id = any ($1::uuid[]) and id = any ($2::uuid[]) and id >= $3 and id <= $4;

-- name: outcome_sizes
-- How large the results of finished runs are, without reading them.
select o.id,
    coalesce(octet_length(o.output), 0) + coalesce(octet_length(o.error), 0) + case t.kind
        when 1 then (
            select coalesce(sum(m.bytes), 0)
            from task c
            cross join lateral (
                select coalesce(octet_length(output), 0) + coalesce(octet_length(error), 0) as bytes
                from outcome
                where tenant_id = $1 and id = c.id and id >= $3
                offset 0
            ) as m
            where c.run_id = o.id and c.kind = 2 and c.tenant_id = $1 and c.id >= $3
        )
        else 0
    end as bytes
from outcome o
cross join lateral (
    select kind from task
    where tenant_id = $1 and id = o.id and id >= $3 and id <= $4
    offset 0
) as t
where o.tenant_id = $1 and o.id = any ($2::uuid[]) and o.id >= $3 and o.id <= $4;

-- name: outcome_results
-- What waiters need of finished runs: the task's name comes from the version.
select o.id, o.status, o.finished_at, o.output, o.error, t.version_id, t.step, t.kind
from outcome o
cross join lateral (
    select version_id, step, kind from task
    where tenant_id = $1 and id = o.id and id >= $3 and id <= $4
    offset 0
) as t
where o.tenant_id = $1 and o.id = any ($2::uuid[]) and o.id >= $3 and o.id <= $4;

-- name: outcome_members
-- What waiters need of the tasks of finished runs. Each run's are sorted by who reads them: an order
-- that the index has keeps the planner with it.
select c.run_id, c.id, o.status, o.skipped, o.output, o.error, c.version_id, c.step
from task c
cross join lateral (
    select status, skipped, output, error from outcome
    where tenant_id = $1 and id = c.id and id >= $3
    offset 0
) as o
where c.run_id = any ($2::uuid[]) and c.kind = 2 and c.tenant_id = $1 and c.id >= $3
order by c.run_id;

-- name: outcome_texts
-- Outputs of these tasks, of any size.
select o.id, o.output from outcome o
where o.tenant_id = $1 and o.id = any ($2::uuid[]) and o.id >= $3 and o.id <= $4;
