-- name: queue_list
select id, tenant_id, action from queue;

-- name: queue_insert
insert into queue (tenant_id, action) values ($1, $2)
on conflict (tenant_id, action) do update set action = excluded.action
returning id;

-- name: queue_depth_list
-- By version, so that all definitions with waiting tasks are known from the start.
select queue_id, version_id, count(*) as depth, count(*) filter (where round <> 0) as fair
from queue_item group by queue_id, version_id;

-- name: queue_item_insert_many
insert into queue_item (queue_id, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
                        internal_retries, queued_ms, schedule_timeout_ms, demand, run_id, round)
select * from unnest($1::bigint[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[],
                     $6::smallint[], $7::integer[], $8::smallint[], $9::smallint[], $10::bigint[],
                     $11::bigint[], $12::jsonb[], $13::uuid[], $14::bigint[]);

-- name: queue_item_insert_fresh
-- First attempts of one step and one priority.
insert into queue_item (queue_id, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
                        internal_retries, queued_ms, schedule_timeout_ms)
select $1, $2, task_id, $3, $4, $5, 0, 0, 0, $6, $7 from unnest($8::uuid[]) as t (task_id);

-- name: queue_item_insert_asked
-- The same with what each of them asks for, and their rounds.
insert into queue_item (queue_id, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
                        internal_retries, queued_ms, schedule_timeout_ms, demand, round)
select $1, $2, task_id, $3, $4, $5, 0, 0, 0, $6, $7, demand, round
from unnest($8::uuid[], $9::jsonb[], $10::bigint[]) as t (task_id, demand, round);

-- name: queue_item_delete_rank
delete from queue_item where queue_id = $1 and rank = $2 and task_id = any ($3::uuid[]);

-- name: queue_item_delete_many
delete from queue_item
where ctid = any (array(
    select i.place
    from unnest($1::bigint[], $2::smallint[], $3::uuid[]) as k (queue_id, rank, task_id)
    cross join lateral (
        select ctid from queue_item
        where queue_id = k.queue_id and rank = k.rank and task_id = k.task_id
        offset 0
    ) as i (place)
));

-- name: queue_item_window
-- The next items of one queue behind a position; single-column bounds let the key order do it.
select rank, round, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
from queue_item
where queue_id = $1 and (rank, task_id) > ($2::smallint, $3::uuid)
order by rank, task_id
limit $4;

-- name: queue_item_window_fair
-- The same where every task has a round.
select rank, round, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
from queue_item
where queue_id = $1 and round <> 0
  and (rank, round, task_id) > ($2::smallint, $3::bigint, $4::uuid)
order by rank, round, task_id
limit $5;

-- name: queue_item_window_mixed
-- The same where some have one: a definition has gained or lost its concurrency rules.
(select rank, round, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
 from queue_item
 where queue_id = $1 and round <> 0
   and (rank, round, task_id) > ($2::smallint, $3::bigint, $4::uuid)
 order by rank, round, task_id
 limit $5)
union all
(select rank, round, task_id, tenant_id, version_id, step, attempt, app_retries, internal_retries,
       queued_ms, schedule_timeout_ms, demand::text as demand, run_id
 from queue_item
 where queue_id = $1 and round = 0 and (rank, round, task_id) > ($2, $3, $4)
 order by rank, task_id
 limit $5)
order by rank, round, task_id
limit $5;

-- name: queue_item_aged
-- Tasks of queues and ranks that were made before a moment, the oldest of each first: ids grow with
-- time.
select i.*
from unnest($1::bigint[], $2::smallint[], $3::uuid[]) as k (queue_id, rank, before)
cross join lateral (
    select rank, round, task_id, tenant_id, version_id, step, attempt, app_retries,
           internal_retries, queued_ms, schedule_timeout_ms, demand::text as demand, run_id
    from queue_item i
    where i.queue_id = k.queue_id and i.rank = k.rank and i.task_id < k.before
    order by i.task_id
    limit $4
) i
limit $4;

-- name: queue_item_find_many
-- A queued task by id: its queue is known from its definition, its rank is one of four.
select q.queue_id, q.rank, q.round, q.task_id, q.tenant_id, q.version_id, q.step, q.attempt, q.app_retries,
       q.internal_retries, q.queued_ms, q.schedule_timeout_ms, q.demand::text as demand,
       q.run_id
from unnest($1::bigint[], $2::uuid[]) as k (queue_id, task_id)
cross join (values (-4::smallint), (-3::smallint), (-2::smallint), (-1::smallint)) as r (rank)
cross join lateral (
    select * from queue_item
    where queue_id = k.queue_id and rank = r.rank and task_id = k.task_id
    offset 0
) as q;

-- name: queue_item_timed_out
select queue_id, rank, round, task_id, tenant_id, version_id, step, attempt, app_retries,
       internal_retries, queued_ms, schedule_timeout_ms, demand::text as demand, run_id
from queue_item
where schedule_timeout_ms <= $1
order by schedule_timeout_ms
limit $2;

-- name: delayed_item_insert_many
insert into delayed_item (task_id, due_ms, queue_id, tenant_id, version_id, step, attempt,
                          app_retries, internal_retries, demand, run_id)
select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[],
                     $6::smallint[], $7::integer[], $8::smallint[], $9::smallint[], $10::jsonb[],
                     $11::uuid[]);

-- name: delayed_item_delete_many
delete from delayed_item where task_id = any ($1::uuid[]);

-- name: delayed_item_find_many
select task_id, due_ms, queue_id, tenant_id, version_id, step, attempt, app_retries,
       internal_retries, demand::text as demand, run_id
from delayed_item where task_id = any ($1::uuid[]);

-- name: queue_item_next_timeout_after
select min(schedule_timeout_ms) from queue_item where schedule_timeout_ms > $1;

-- name: delayed_item_next_due_after
select min(due_ms) from delayed_item where due_ms > $1;

-- name: delayed_item_next_due
select min(due_ms) from delayed_item;

-- name: delayed_item_due
select task_id, due_ms, queue_id, tenant_id, version_id, step, attempt, app_retries,
       internal_retries, demand::text as demand, run_id
from delayed_item
where due_ms <= $1
order by due_ms
limit $2;
