-- Read queries over runs and tasks: a page is found first as ids, then its rows are fetched by id,
-- so that every list keeps one short plan whatever its filters.
--
-- Pages: each status has its own way in (a "branch"), because each lives in another table: ended
-- ones in outcome, running ones in assignment, queued ones in queue_item and delayed_item. A list
-- joins the branches of the statuses asked for. In a branch {filters} stands for more conditions on
-- the task (and {status} for a number, as a literal so that a partial index can be used).
-- $1 tenant, $2 and $3 lowest and next id (they choose partitions), $4 and $5 created from and to
-- (both inclusive), {most} most rows.

-- name: run_page_any
select t.id
from task t
where t.tenant_id = $1 and t.id >= $2 and t.id < $3
  and t.created_at >= $4 and t.created_at <= $5
  {filters}
order by t.id desc
limit {most};

-- name: run_page_ended
select t.id
from outcome o
join task t on t.tenant_id = o.tenant_id and t.id = o.id
where o.tenant_id = $1 and o.status = {status} and o.id >= $2 and o.id < $3
  and t.id >= $2 and t.id < $3
  and t.created_at >= $4 and t.created_at <= $5
  {filters}
order by t.id desc
limit {most};

-- name: run_page_running
-- The assignments of a tenant are few: at most as many as its workers have slots.
select t.id
from assignment a
join task t on t.tenant_id = a.tenant_id and t.id = a.task_id
where a.tenant_id = $1 and a.task_id >= $2 and a.task_id < $3
  and t.id >= $2 and t.id < $3
  and t.created_at >= $4 and t.created_at <= $5
  {filters}
order by t.id desc
limit {most};

-- name: run_page_queued
-- A queue is kept in the order of work, not of time, but inside one rank ids ascend: so take the
-- newest of each rank of each queue. A backlog of millions costs no more than an empty one.
select newest.id
from queue q
cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
cross join lateral (
    select t.id
    from queue_item i
    join task t on t.tenant_id = $1 and t.id = i.task_id
    where i.queue_id = q.id and i.rank = r.rank and i.task_id >= $2 and i.task_id < $3
      and t.id >= $2 and t.id < $3
      and t.created_at >= $4 and t.created_at <= $5
      {filters}
    order by i.task_id desc
    limit {most}
) newest
where q.tenant_id = $1
union all
(select t.id
 from delayed_item d
 join task t on t.tenant_id = d.tenant_id and t.id = d.task_id
 where d.tenant_id = $1 and d.task_id >= $2 and d.task_id < $3
   and t.id >= $2 and t.id < $3
   and t.created_at >= $4 and t.created_at <= $5
   {filters}
 order by t.id desc
 limit {most});

-- name: run_ids
-- One page of ids, newest first, from joined branches; {offset} rows are skipped.
select p.id from ({branches}) p order by p.id desc offset {offset} limit {limit};

-- name: run_count
select count(*) from ({branches}) p;

-- name: run_ids_as_json
-- Hundreds of thousands of ids as one text: nothing to decode, nothing to encode again.
select coalesce(json_agg(p.id), '[]')::text from ({branches}) p;

-- name: run_filter_runs
and t.kind <> 2
-- name: run_filter_tasks
and t.kind <> 1
-- name: run_filter_workflow
and t.workflow_id = {value}::uuid
-- name: run_filter_workflows
and t.workflow_id = any ({value}::uuid[])
-- name: run_filter_parent
and t.parent_task_id = {value}::uuid
-- name: run_filter_event
and t.trigger ->> 'event_id' = {value}::text
-- name: run_filter_metadata
and t.metadata @> any ({value}::text[]::jsonb[])
-- name: run_filter_worker_ended
and o.worker_id = {value}::uuid
-- name: run_filter_worker_running
and a.worker_id = {value}::uuid

-- name: run_rows
-- All that is shown of these runs or tasks, newest first. $3 and $4: smallest and largest id.
-- $5: with payloads. A task that neither ended nor runs waits: its attempt is in the hot row, which
-- is found through the queue of its action.
select t.id, t.run_id, t.kind, t.workflow_id, t.version_id, t.step, t.priority, t.created_at,
       case when $5::boolean then t.input end as input, t.metadata::text as metadata,
       t.parent_task_id,
       o.status as ended_status, o.attempt as ended_attempt, o.finished_at,
       o.assigned_at as ended_assigned_at, o.started_at as ended_started_at,
       o.worker_id as ended_worker_id,
       case when $5::boolean then o.output end as output, o.error,
       a.attempt as live_attempt, a.worker_id as live_worker_id, a.assigned_ms, a.started_ms,
       w.attempt as waiting_attempt,
       coalesce(m.begun, false) as begun
from unnest($2::uuid[]) as k (id)
join task t on t.tenant_id = $1 and t.id = k.id
left join outcome o on o.tenant_id = $1 and o.id = k.id and o.id >= $3 and o.id <= $4
left join assignment a on a.task_id = k.id
left join lateral (
    select i.attempt
    from workflow_version v
    join queue q on q.tenant_id = $1
                and q.action = v.definition #>> array['tasks', t.step::text, 'action']
    cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
    join queue_item i on i.queue_id = q.id and i.rank = r.rank and i.task_id = t.id
    where v.id = t.version_id and t.kind <> 1 and o.id is null and a.task_id is null
    union all
    select d.attempt from delayed_item d
    where d.task_id = t.id and o.id is null and a.task_id is null
    limit 1
) w on true
left join lateral (
    -- A DAG run is running from the moment that one of its members was given out.
    select true as begun
    from task c
    left join assignment ca on ca.task_id = c.id
    left join outcome co on co.tenant_id = $1 and co.id = c.id
    where c.run_id = t.id and c.id >= $3 and c.kind = 2 and t.kind = 1 and o.id is null
      and (ca.task_id is not null or co.id is not null)
    limit 1
) m on true
where t.id >= $3 and t.id <= $4
order by t.id desc;

-- name: run_members
-- Tasks of a DAG run.
select c.id from task c
where c.tenant_id = $1 and c.run_id = $2 and c.kind = 2 and c.id >= $2
order by c.id;

-- name: run_child_count
-- Runs that a task has spawned.
select count(*) from task c
where c.tenant_id = $1 and c.parent_task_id = $2 and c.id >= $2 and c.kind <> 2;

-- name: run_status
select o.status as ended_status, a.task_id is not null as live, t.kind
from task t
left join outcome o on o.tenant_id = $1 and o.id = $2
left join assignment a on a.task_id = $2
where t.tenant_id = $1 and t.id = $2 and t.kind <> 2;

-- name: run_begun
-- Whether any task of a DAG run was given out yet.
select exists (
    select from task c
    left join assignment ca on ca.task_id = c.id
    left join outcome co on co.tenant_id = $1 and co.id = c.id
    where c.tenant_id = $1 and c.run_id = $2 and c.kind = 2 and c.id >= $2
      and (ca.task_id is not null or co.id is not null)
);

-- name: run_names
-- What display names are made of, for run and task ids alike. $3 and $4: smallest and largest id.
select t.id, t.kind, t.version_id, t.step, t.created_at
from unnest($2::uuid[]) as k (id)
join task t on t.tenant_id = $1 and t.id = k.id
where t.id >= $3 and t.id <= $4
order by t.id desc;

-- name: version_get_many
select v.id, v.tenant_id, v.workflow_id, v.number, v.created_at, v.definition::text as definition
from workflow_version v
where v.id = any ($1::uuid[]);

-- name: task_event_list
-- $3: the smallest of the task ids; events are never older than their task.
select e.id, e.task_id, e.kind, e.attempt, e.worker_id, e.message, e.data::text as data
from task_event e
where e.tenant_id = $1 and e.task_id = any ($2::uuid[]) and e.id >= $3
order by e.id
limit $4;
