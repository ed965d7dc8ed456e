-- name: limit_insert
insert into concurrency_limit (tenant_id, scope, workflow_id, task, name, expression)
values ($1, $2, $3, $4, $5, $6)
on conflict (tenant_id, scope) do update set name = excluded.name, expression = excluded.expression
returning id;

-- name: parked_insert_many
insert into parked_item (line, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
                         internal_retries, queued_ms, schedule_timeout_ms, demand, run_id)
select * from unnest($1::text[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[],
                     $6::smallint[], $7::integer[], $8::smallint[], $9::smallint[], $10::bigint[],
                     $11::bigint[], $12::jsonb[], $13::uuid[]);

-- name: parked_insert_fresh
-- First attempts of one step and one priority, in different lines.
insert into parked_item (line, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
                         internal_retries, queued_ms, schedule_timeout_ms, demand)
select line, $1, task_id, $2, $3, $4, 0, 0, 0, $5, $6, demand
from unnest($7::text[], $8::uuid[], $9::jsonb[]) as t (line, task_id, demand);

-- name: parked_delete_many
delete from parked_item where task_id = any ($1::uuid[]);

-- name: parked_find_many
select line, rank, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
from parked_item where task_id = any ($1::uuid[]);

-- name: parked_windows
-- The next rows of several lines, each behind a position of its own.
select p.*
from unnest($1::text[], $2::smallint[], $3::uuid[], $4::integer[]) as k (line, rank, task_id, most)
cross join lateral (
    select line, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
           internal_retries, queued_ms, schedule_timeout_ms, demand::text as demand, run_id
    from parked_item i
    where i.line = k.line and (i.rank, i.task_id) > (k.rank, k.task_id)
    order by i.rank, i.task_id
    limit k.most
) p;

-- name: parked_depth_list
-- Bytes are known of those who wait for a batch only.
select line, count(*) as depth, min(queued_ms) as first_ms,
       coalesce(sum((demand ->> 'size')::bigint) filter (where line like 'b%'), 0)::bigint as size
from parked_item group by line;

-- name: parked_newest_list
-- Of each concurrency key.
select distinct on (line)
       line, rank, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
from parked_item
where line like 'c%'
order by line, task_id desc;

-- name: parked_version_list
select distinct version_id from parked_item;

-- name: parked_timed_out
select line, rank, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
from parked_item
where schedule_timeout_ms <= $1
order by schedule_timeout_ms
limit $2;

-- name: parked_next_timeout_after
select min(schedule_timeout_ms) from parked_item where schedule_timeout_ms > $1;

-- name: place_insert_many
-- Of one tenant.
insert into concurrency_place (holder_id, line, rank, max_runs, tenant_id, taken_ms)
select holder_id, line, rank, max_runs, $1, $2
from unnest($3::uuid[], $4::text[], $5::smallint[], $6::integer[])
  as t (holder_id, line, rank, max_runs);

-- name: place_delete_many
delete from concurrency_place where holder_id = any ($1::uuid[]);

-- name: place_list
select p.holder_id, p.line, p.rank, p.max_runs from concurrency_place p
order by p.holder_id, p.taken_ms;
