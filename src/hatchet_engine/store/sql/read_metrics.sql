-- Counts. Queues and assignments are counted in the hot tables, which hold live work only.

-- name: status_counts
-- Runs of a time window per status; filters as for run lists. What lives is running when something
-- of it was given out, as run_begun_member of read_runs.sql says; but here all are looked up at
-- once.
with runs as materialized (
    select t.id, t.kind, o.status
    from task t
    left join outcome o on o.tenant_id = t.tenant_id and o.id = t.id
         and o.tenant_id = $1 and o.id >= $2 and o.id < $3
    where t.tenant_id = $1 and t.id >= $2 and t.id < $3
      and t.created_at >= $4 and t.created_at <= $5
      {filters}
),
begun as (
    select a.task_id as id from assignment a where a.tenant_id = $1
    union
    select m.run_id
    from assignment a
    join task m on m.tenant_id = $1 and m.id = a.task_id and m.kind = 2
    where a.tenant_id = $1
    union
    select c.run_id
    from runs r
    join task c on c.tenant_id = $1 and c.run_id = r.id and c.kind = 2 and c.id >= $2
    join outcome co on co.tenant_id = $1 and co.id = c.id and co.id >= $2
    where r.kind = 1 and r.status is null
    union
    select d.run_id from delayed_item d where d.tenant_id = $1 and d.run_id is not null
    union
    select p.run_id
    from parked_item p
    where p.tenant_id = $1 and p.run_id is not null and p.app_retries + p.internal_retries > 0
    union
    select i.run_id
    from queue q
    join queue_item i on i.queue_id = q.id and i.rank = -4
    where q.tenant_id = $1 and i.run_id is not null and i.app_retries + i.internal_retries > 0
)
select coalesce(r.status, case when b.id is null then 0 else 1 end) as status, count(*) as runs
from runs r
left join begun b on b.id = r.id and r.status is null
group by 1;

-- name: queue_depths
-- Waiting tasks per queue; queues in which nothing waits are left out.
select q.action, count(*) as waiting
from queue q
join queue_item i on i.queue_id = q.id
where q.tenant_id = $1
group by q.action
order by q.action;

-- name: parked_counts
-- Tasks per definition that wait for something other than a worker; whole runs are left out.
select p.version_id, p.step, count(*) as waiting
from parked_item p
where p.tenant_id = $1 and p.step >= 0
group by 1, 2;

-- name: queued_stats
-- Waiting and delayed tasks per task definition.
select x.version_id, x.step, sum(x.total)::bigint as total, min(x.oldest_ms) as oldest_ms,
       min(x.oldest_first_ms) as oldest_first_ms
from (
    select i.version_id, i.step, count(*) as total, min(i.queued_ms) as oldest_ms,
           min(i.queued_ms) filter (where i.attempt = 0) as oldest_first_ms
    from queue q
    join queue_item i on i.queue_id = q.id
    where q.tenant_id = $1
    group by 1, 2
    union all
    -- The time since which a task is in backoff isn't kept; it is later than its queueing.
    select d.version_id, d.step, count(*), null, null
    from delayed_item d
    where d.tenant_id = $1
    group by 1, 2
    union all
    select p.version_id, p.step, count(*), min(p.queued_ms),
           min(p.queued_ms) filter (where p.attempt = 0)
    from parked_item p
    where p.tenant_id = $1 and p.step >= 0
    group by 1, 2
) x
group by 1, 2;

-- name: running_stats
select a.version_id, a.step, count(*) as total, min(a.assigned_ms) as oldest_ms,
       min(a.assigned_ms) filter (where a.attempt = 0) as oldest_first_ms
from assignment a
where a.tenant_id = $1
group by 1, 2;

-- name: run_points
-- Completed and failed runs per bucket of $6 seconds, by creation time; $4: start of the first.
select floor(extract(epoch from t.created_at - $4::timestamptz) / $6::integer)::integer as bucket,
       count(*) filter (where o.status = 2) as completed,
       count(*) filter (where o.status = 3) as failed
from task t
join outcome o on o.tenant_id = t.tenant_id and o.id = t.id
where t.tenant_id = $1 and t.kind <> 2
  and t.id >= $2 and t.id < $3 and o.tenant_id = $1 and o.id >= $2 and o.id < $3
  and t.created_at >= $4::timestamptz and t.created_at <= $5::timestamptz
group by 1;

-- name: status_counts_all
-- For the status page: all tenants, ids from $1 on. Members of DAGs are counted as well.
select o.status, count(*) as runs
from outcome o
where o.id >= $1
group by 1
union all
select 1, count(*) from assignment
union all
select 0, (select count(*) from queue_item) + (select count(*) from delayed_item)
          + (select count(*) from parked_item);
