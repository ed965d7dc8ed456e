-- Counts. Queues and assignments are counted in the hot tables, which hold live work only.

-- name: range_counts
-- Runs per range of ids and status; status null: all of them, so that those that completed, nearly
-- all, are what the others leave. Nothing is looked up for them: all are counted in the index of
-- workflows, the ended ones of other statuses in theirs, and what lives in the hot tables.
-- $1 tenant, $2 ascending bounds, one more than ranges, $3 and $4 the first and the last of them,
-- $5 workflows. $6 and $7: roots of DAGs, $8 and $9: those that are not the only one of their DAG,
-- as observe/roles.py says. Marks in braces are filled in by observe/range_counts.py.
with assigned as (
    select a.task_id, t.kind, t.run_id
    from assignment a
    cross join lateral (
        select kind, run_id from task where tenant_id = $1 and id = a.task_id
        offset 0
    ) t
    where a.tenant_id = $1 and a.task_id >= $3 {versions of a}
),
alive as (
    select i.task_id as id, 0 as status
    from queue q
    join queue_item i on i.queue_id = q.id
    where q.tenant_id = $1 and i.run_id is null and i.task_id >= $3 and i.task_id < $4
      {versions of i}
    union all
    select i.task_id, 0
    from parked_item i
    where i.tenant_id = $1 and i.run_id is null and i.task_id >= $3 and i.task_id < $4
      {versions of i}
    union all
    select d.task_id, 0
    from delayed_item d
    where d.tenant_id = $1 and d.run_id is null and d.task_id >= $3 and d.task_id < $4
      {versions of d}
    union all
    select a.task_id, 1 from assigned a where a.kind = 0 and a.task_id < $4
    union all
    select t.id, case when coalesce(t.begun, {begun}) then 1 else 0 end
    from (
        -- DAG runs are found through their members, or wait as a whole: step -1. begun null: it
        -- has to be looked up.
        select m.run_id as id, bool_or(m.begun) as begun
        from (
            select a.run_id, true as begun from assigned a where a.kind = 2
            union all
            select d.run_id, true
            from delayed_item d
            where d.tenant_id = $1 and d.run_id is not null and d.task_id >= $3 {versions of d}
            union all
            select i.run_id, i.rank = -4 and i.app_retries + i.internal_retries > 0
                             or {begun by step of i}
            from queue q
            join queue_item i on i.queue_id = q.id
            where q.tenant_id = $1 and i.run_id is not null and i.task_id >= $3 {versions of i}
            union all
            select i.run_id, case when i.step = -1 then case when i.attempt = 0 then false end
                                  when i.app_retries + i.internal_retries > 0 then true
                                  else {begun by step of i} end
            from parked_item i
            where i.tenant_id = $1 and i.run_id is not null and i.task_id >= $3 {versions of i}
            union all
            select x.run_id, {begun by step of x}
            from task_wait x
            where x.tenant_id = $1 and x.task_id >= $3 {versions of x}
        ) m
        where m.run_id >= $3 and m.run_id < $4
        group by m.run_id
    ) t
)
select n.number, null as status, count.runs
from generate_series(1, cardinality($2::uuid[]) - 1) as n (number)
cross join lateral (
    select count(*) as runs from task t
    where t.workflow_id = any ($5::uuid[]) and t.kind <> 2
      and t.id >= ($2::uuid[])[n.number] and t.id < ($2::uuid[])[n.number + 1]
      and t.id >= $3 and t.id < $4
) count
union all
select width_bucket(o.id, $2::uuid[]), o.status, count(*)
from outcome o
where o.tenant_id = $1 and o.status in (3, 4) and o.status <> 2 and o.id >= $3 and o.id < $4
  and o.kind <> 2 {workflow of o}
group by 1, 2
union all
select width_bucket(a.id, $2::uuid[]), a.status, count(*) from alive a group by 1, 2;

-- name: range_counts_versions
and {value}.version_id = any (array(
    select v.id from workflow_version v where v.workflow_id = any ($5::uuid[])))

-- name: range_counts_workflow
and exists (select from task t
            where t.tenant_id = $1 and t.id = {value}.id and t.id >= $3 and t.id < $4
              and t.workflow_id = any ($5::uuid[]))

-- name: range_counts_begun
-- What is no root waits in a run that has begun; the only root of a DAG does not.
case when ({value}.version_id, {value}.step)
          not in (select * from unnest($6::uuid[], $7::smallint[])) then true
     when ({value}.version_id, {value}.step)
          not in (select * from unnest($8::uuid[], $9::smallint[])) then false end

-- name: workflow_ids
-- All workflows that a tenant has or had.
select w.id from workflow w where w.tenant_id = $1;

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
    select i.run_id
    from parked_item i
    where i.tenant_id = $1 and i.run_id is not null and i.app_retries + i.internal_retries > 0
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
-- Waiting, parked and delayed tasks per task definition; runs that wait as a whole are none.
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
    select i.version_id, i.step, count(*), min(i.queued_ms),
           min(i.queued_ms) filter (where i.attempt = 0)
    from parked_item i
    where i.tenant_id = $1 and i.step <> -1
    group by 1, 2
    union all
    -- The time since which a task is in backoff isn't kept; it is later than its queueing.
    select d.version_id, d.step, count(*), null, null
    from delayed_item d
    where d.tenant_id = $1
    group by 1, 2
) x
group by 1, 2;

-- name: running_stats
select a.version_id, a.step, count(*) as total, min(a.assigned_ms) as oldest_ms,
       min(a.assigned_ms) filter (where a.attempt = 0) as oldest_first_ms
from assignment a
where a.tenant_id = $1
group by 1, 2;

-- name: status_counts_all
-- For the status page: all tenants, ids from $1 on. Members of DAGs are counted as well.
select o.status, count(*) as runs
from outcome o
where o.id >= $1
group by 1
union all
select 1, count(*) from assignment
union all
select 0, (select count(*) from queue_item) + (select count(*) from parked_item)
          + (select count(*) from delayed_item);
