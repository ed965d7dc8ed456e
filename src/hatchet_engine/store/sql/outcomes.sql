-- name: outcome_insert_completed
-- Tasks of one tenant that completed on a worker: nearly all.
insert into outcome (tenant_id, id, status, attempt, finished_at, assigned_at, started_at,
                     worker_id, output)
select $1, id, 2, attempt, $2,
       to_timestamp(assigned_ms / 1000.0), to_timestamp(started_ms / 1000.0), worker_id, output
from unnest($3::uuid[], $4::integer[], $5::bigint[], $6::bigint[], $7::uuid[], $8::text[])
     as t (id, attempt, assigned_ms, started_ms, worker_id, output);

-- name: outcome_insert_many
insert into outcome (tenant_id, id, status, attempt, finished_at, assigned_at, started_at,
                     worker_id, output, error, skipped)
select tenant_id, id, status, attempt, $11,
       to_timestamp(assigned_ms / 1000.0), to_timestamp(started_ms / 1000.0),
       worker_id, output, error, skipped
from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::integer[], $5::bigint[], $6::bigint[],
            $7::uuid[], $8::text[], $9::text[], $10::boolean[])
     as t (tenant_id, id, status, attempt, assigned_ms, started_ms, worker_id, output, error,
           skipped);

-- name: outcome_get_many
select o.id, o.status, o.attempt, o.finished_at, o.output, o.error, o.worker_id,
       o.assigned_at, o.started_at, o.skipped
from unnest($2::uuid[]) as k (id)
join outcome o on o.tenant_id = $1 and o.id = k.id
where o.id >= $3 and o.id <= $4;

-- name: outcome_delete_many
delete from outcome o
using unnest($1::uuid[], $2::uuid[]) as k (tenant_id, id)
where o.tenant_id = k.tenant_id and o.id = k.id and o.id >= $3 and o.id <= $4;

-- name: outcome_sizes
-- How large the results of finished runs are, without reading them.
select o.id,
    coalesce(octet_length(o.output), 0) + coalesce(octet_length(o.error), 0) + case t.kind
        when 1 then (
            select coalesce(sum(
                coalesce(octet_length(m.output), 0) + coalesce(octet_length(m.error), 0)
            ), 0)
            from task c
            join outcome m on m.tenant_id = $1 and m.id = c.id and m.id >= $3
            where c.run_id = k.id and c.kind = 2 and c.tenant_id = $1 and c.id >= $3
        )
        else 0
    end as bytes
from unnest($2::uuid[]) as k (id)
join outcome o on o.tenant_id = $1 and o.id = k.id
join task t on t.tenant_id = $1 and t.id = k.id
where o.id >= $3 and o.id <= $4 and t.id >= $3 and t.id <= $4;

-- name: outcome_results
-- What waiters need of finished runs: the task's name comes from the version.
select o.id, o.status, o.finished_at, o.output, o.error, t.version_id, t.step, t.kind
from unnest($2::uuid[]) as k (id)
join outcome o on o.tenant_id = $1 and o.id = k.id
join task t on t.tenant_id = $1 and t.id = k.id
where o.id >= $3 and o.id <= $4 and t.id >= $3 and t.id <= $4;

-- name: outcome_members
-- What waiters need of the tasks of finished runs.
select c.run_id, c.id, o.status, o.skipped, o.output, o.error, c.version_id, c.step
from unnest($2::uuid[]) as k (run_id)
join task c on c.run_id = k.run_id and c.kind = 2 and c.tenant_id = $1 and c.id >= $3
join outcome o on o.tenant_id = $1 and o.id = c.id and o.id >= $3
order by c.run_id, c.step;

-- name: outcome_texts
-- Outputs of these tasks, of any size.
select o.id, o.output from unnest($2::uuid[]) as k (id)
join outcome o on o.tenant_id = $1 and o.id = k.id
where o.id >= $3 and o.id <= $4;
