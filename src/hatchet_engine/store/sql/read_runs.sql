-- Read queries over runs and tasks: a page is found first as ids, then its rows are fetched by id,
-- so that every list keeps one short plan whatever its filters.
--
-- Pages: each status has its own way in (a "branch"), because each lives in another table: ended
-- ones in outcome, running ones in assignment, queued ones in queue_item, parked_item, delayed_item
-- and task_wait. A DAG run has no row there, its members have; so it is found through them, unless
-- it waits as a whole: then it stands in parked_item, with step -1. A list joins the branches of the statuses asked for. In a branch {filters} stands for more conditions on
-- the run or task t (and {status} for a number, as a literal so that a partial index can be used).
-- $1 tenant, $2 and $3 lowest and next id (they choose partitions), $4 and $5 created from and to
-- (both inclusive), {most} most rows. {begun} stands for run_begun_member. The ids of members are
-- larger than that of their run.

-- name: run_page_any
select t.id
from task t
where t.tenant_id = $1 and t.id >= $2 and t.id < $3
  and t.created_at >= $4 and t.created_at <= $5
  {filters}
order by t.id desc
limit {most};

-- name: run_page_workflows
-- As run_page_any, for runs of several workflows: each is read in the order of its index.
select newest.id
from unnest({workflows}::uuid[]) as f (id)
cross join lateral (
    select t.id
    from task t
    where t.tenant_id = $1 and t.workflow_id = f.id and t.id >= $2 and t.id < $3
      and t.created_at >= $4 and t.created_at <= $5
      {filters}
    order by t.id desc
    limit {most}
) newest;

-- name: run_page_members
-- Members of the runs of some workflows: they are in no index by workflow, their runs are.
select newest.id
from unnest({workflows}::uuid[]) as f (id)
cross join lateral (
    select t.id
    from task r
    cross join lateral {members of r.id} t
    where r.tenant_id = $1 and r.workflow_id = f.id and r.kind = 1
      and r.id >= $2 and r.id < $3
    order by r.id desc
    limit {most}
) newest;

-- name: run_page_ended
select t.id
from outcome o
join task t on t.tenant_id = o.tenant_id and t.id = o.id
where o.tenant_id = $1 and o.status = {status} and o.id >= $2 and o.id < $3 {kinds}
  and t.id >= $2 and t.id < $3
  and t.created_at >= $4 and t.created_at <= $5
  {filters}
order by t.id desc
limit {most};

-- name: run_count_ended
-- For counts of which time is all that matters: the id tells it.
select o.id
from outcome o
where o.tenant_id = $1 and o.status = {status} and o.id >= $2 and o.id < $3 {kinds}
  and o.id >= {lower} and o.id < {upper} and $4::timestamptz <= $5::timestamptz
limit {most};

-- name: run_count_ended_workflows
-- As run_count_ended, for runs of some workflows: both sides can be read in indexes alone. In
-- order, so that the limit ends the search early; without it whole days would be joined.
select o.id
from task t
join outcome o on o.tenant_id = $1 and o.id = t.id
where t.id >= $2 and t.id < $3 {filters}
  and o.status = {status} and o.id >= $2 and o.id < $3 {kinds}
  and t.id >= {lower} and t.id < {upper} and $4::timestamptz <= $5::timestamptz
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

-- name: run_page_running_dags
-- A DAG run is running when something of it was given out, so also while its members wait again.
(select distinct t.id
 from assignment a
 join task m on m.tenant_id = a.tenant_id and m.id = a.task_id and m.kind = 2
 join task t on t.tenant_id = $1 and t.id = m.run_id
 where a.tenant_id = $1 and a.task_id >= $2 and t.id >= $2 and t.id < $3
   and t.created_at >= $4 and t.created_at <= $5
   {filters}
 order by t.id desc
 limit {most})
union all
(select newest.id
 from queue q
 cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
 cross join lateral (
    select t.id
    from queue_item i
    cross join lateral {run of i.run_id} t
    where i.queue_id = q.id and i.rank = r.rank and i.task_id >= $2 and i.run_id is not null
      and (i.app_retries + i.internal_retries > 0 or {item of a running run})
    order by i.task_id desc
    limit {most}
 ) newest
 where q.tenant_id = $1 and (r.rank = -4 or {later}) {queues})
union all
(select t.id
 from parked_item i
 cross join lateral {run of i.run_id} t
 where i.tenant_id = $1 and i.task_id >= $2 and i.run_id is not null {parked}
   and case when i.step = -1 then i.attempt > 0 and {begun}
            else i.app_retries + i.internal_retries > 0 or {item of a running run} end
 order by i.task_id desc
 limit {most})
union all
(select t.id
 from delayed_item d
 cross join lateral {task of d.run_id} t
 where d.tenant_id = $1 and d.task_id >= $2 and d.run_id is not null
 order by d.task_id desc
 limit {most})
union all
(select t.id
 from task_wait x
 cross join lateral {task of x.run_id} t
 where x.tenant_id = $1 and x.task_id >= $2 and t.kind = 1 and {begun} and {first wait}
 order by x.task_id desc
 limit {most});

-- name: run_page_queued
-- Runs of which nothing was given out yet. A queue is kept in the order of work, not of time, but
-- inside one rank ids ascend: so take the newest of each rank of each queue. A backlog of millions
-- costs no more than an empty one. In one queue a run has one task.
(select newest.id
 from queue q
 cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
 cross join lateral (
    select t.id
    from queue_item i
    cross join lateral {run of coalesce(i.run_id, i.task_id)} t
    where i.queue_id = q.id and i.rank = r.rank and i.task_id >= $2
      and (i.run_id is null
           or i.app_retries + i.internal_retries = 0 and {item of a queued run})
    order by i.task_id desc
    limit {most}
 ) newest
 where q.tenant_id = $1 and {first} {queues})
union all
(select t.id
 from parked_item i
 cross join lateral {run of i.task_id} t
 where i.tenant_id = $1 and i.run_id is null and i.task_id >= $2 and i.task_id < $3 {parked}
 order by i.task_id desc
 limit {most})
union all
(select t.id
 from parked_item i
 cross join lateral {run of i.run_id} t
 where i.tenant_id = $1 and i.run_id is not null and i.task_id >= $2 {parked}
   -- A run that waits as a whole may have begun only if it was replayed.
   and case when i.step = -1 then i.attempt = 0 or not {begun}
            else i.app_retries + i.internal_retries = 0 and {item of a queued run} end
 order by i.task_id desc
 limit {most})
union all
(select t.id
 from delayed_item d
 cross join lateral {task of d.task_id} t
 where d.tenant_id = $1 and d.run_id is null and d.task_id >= $2 and d.task_id < $3
 order by d.task_id desc
 limit {most})
union all
(select t.id
 from task_wait x
 cross join lateral {task of x.run_id} t
 where x.tenant_id = $1 and x.task_id >= $2 and not {begun} and {first wait}
 order by x.task_id desc
 limit {most});

-- name: run_page_queued_tasks
-- Tasks that wait: for a worker, in lines, for the end of a backoff, for conditions, and (in no table of
-- their own) for their parents; the latter are found through what is alive of their run.
(select newest.id
 from queue q
 cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
 cross join lateral (
    select t.id
    from queue_item i
    cross join lateral {run of i.task_id} t
    where i.queue_id = q.id and i.rank = r.rank and i.task_id >= $2 and i.task_id < $3
    order by i.task_id desc
    limit {most}
 ) newest
 where q.tenant_id = $1 {queues})
union all
(select newest.id
 from queue q
 cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
 cross join lateral (
    select t.id
    from queue_item i
    cross join lateral {waiting of i.run_id} t
    where i.queue_id = q.id and i.rank = r.rank and i.task_id >= $2 and i.run_id is not null
    order by i.task_id desc
    limit {most}
 ) newest
 where q.tenant_id = $1 {queues})
union all
(select t.id
 from parked_item i
 cross join lateral {run of i.task_id} t
 where i.tenant_id = $1 and i.run_id is null and i.task_id >= $2 and i.task_id < $3 {parked}
 order by i.task_id desc
 limit {most})
union all
(select t.id
 from parked_item i
 cross join lateral {run of i.task_id} t
 where i.tenant_id = $1 and i.run_id is not null and i.step <> -1
   and i.task_id >= $2 and i.task_id < $3 {parked}
 order by i.task_id desc
 limit {most})
union all
(select t.id
 from parked_item i
 cross join lateral {waiting of i.run_id} t
 where i.tenant_id = $1 and i.task_id >= $2 and i.run_id is not null {parked}
 order by i.task_id desc
 limit {most})
union all
(select t.id
 from delayed_item d
 cross join lateral {run of d.task_id} t
 where d.tenant_id = $1 and d.task_id >= $2 and d.task_id < $3
 order by d.task_id desc
 limit {most})
union all
(select t.id
 from delayed_item d
 cross join lateral {waiting of d.run_id} t
 where d.tenant_id = $1 and d.task_id >= $2 and d.run_id is not null
 order by d.task_id desc
 limit {most})
union all
(select t.id
 from task_wait x
 cross join lateral {waiting of x.run_id} t
 where x.tenant_id = $1 and x.task_id >= $2 and {first wait}
 order by x.task_id desc
 limit {most})
union all
(select t.id
 from assignment a
 join task w on w.tenant_id = $1 and w.id = a.task_id and w.kind = 2
 cross join lateral {waiting of w.run_id} t
 where a.tenant_id = $1 and a.task_id >= $2
 order by t.id desc
 limit {most});

-- name: run_task
-- One task, if it fits. The planner knows too little of queues to see that looking up each row is
-- the only way that stops early; "offset 0" leaves it no other.
(select t.id, t.kind
 from task t
 where t.tenant_id = $1 and t.id = {value}
   and t.id >= $2 and t.id < $3
   and t.created_at >= $4 and t.created_at <= $5
   {filters}
 offset 0)

-- name: run_members
-- Tasks of a DAG run, the newest first.
(select t.id
 from task t
 where t.tenant_id = $1 and t.run_id = {value} and t.kind = 2 and t.id > {value} and t.id < $3
   and t.created_at >= $4 and t.created_at <= $5
   {filters}
 order by t.id desc
 offset 0)

-- name: run_by_id
-- As run_task, when the time is all that matters: the id tells it.
(select {value} as id where {value} >= {lower}::uuid and {value} < {upper}::uuid offset 0)

-- name: run_item_running
-- Whether a waiting task without retries belongs to a run that has begun. What is no root does;
-- the only root of its version does not; with several roots it has to be looked up.
((i.version_id, i.step) not in (select * from unnest({versions}::uuid[], {steps}::smallint[]))
 or ((i.version_id, i.step) in
     (select * from unnest({open versions}::uuid[], {open steps}::smallint[]))
     and {begun}))

-- name: run_item_queued
((i.version_id, i.step) in (select * from unnest({versions}::uuid[], {steps}::smallint[]))
 and ((i.version_id, i.step) not in
      (select * from unnest({open versions}::uuid[], {open steps}::smallint[]))
      or not {begun}))

-- name: run_waiting
-- Tasks of a run that neither ended nor are on a worker.
(select t.id
 from task t
 where t.tenant_id = $1 and t.run_id = {value} and t.id >= {value}
   and (t.kind = 2 or t.id = {value})
   and t.id >= $2 and t.id < $3
   and t.created_at >= $4 and t.created_at <= $5
   {filters}
   and not exists (select from outcome wo where wo.tenant_id = $1 and wo.id = t.id offset 0)
   and not exists (select from assignment wa where wa.task_id = t.id offset 0)
 offset 0)

-- name: run_first_wait
-- A task waits for several conditions: take it once.
not exists (select from task_wait y
            where y.task_id = x.task_id and y.position < x.position offset 0)

-- name: run_begun_member
-- Whether a member of DAG run t was given out: it runs, it ended, or it waits for another attempt.
-- Retries wait in rank -4, as replays do, but those have no retries yet. Each "offset 0" keeps a
-- look-up a look-up, where the planner may think of reading and hashing the whole table.
(exists (
    select from task c
    where c.tenant_id = $1 and c.run_id = t.id and c.kind = 2 and c.id > t.id
      and (exists (select from outcome co where co.tenant_id = $1 and co.id = c.id offset 0)
           or exists (select from assignment ca where ca.task_id = c.id offset 0)
           or exists (select from delayed_item cd where cd.task_id = c.id offset 0)
           or exists (select from parked_item cp
                      where cp.task_id = c.id and cp.app_retries + cp.internal_retries > 0
                      offset 0)
           or exists (
               select from workflow_version cv
               join queue cq on cq.tenant_id = $1
                 and cq.action = cv.definition #>> array['tasks', c.step::text, 'action']
               join queue_item ci on ci.queue_id = cq.id and ci.rank = -4 and ci.task_id = c.id
               where cv.id = c.version_id and ci.app_retries + ci.internal_retries > 0
               offset 0))
    offset 0
))

-- name: run_ids
-- One page of ids, newest first, from joined branches; {offset} rows are skipped. A DAG run with
-- several living members is found several times.
select distinct p.id from ({branches}) p order by p.id desc offset {offset} limit {limit};

-- name: run_count
select count(distinct p.id) from ({branches}) p;

-- name: run_ids_as_json
-- Hundreds of thousands of ids as one text: nothing to decode, nothing to encode again.
select coalesce(json_agg(distinct p.id), '[]')::text from ({branches}) p;

-- name: run_filter_runs
and t.kind <> 2
-- name: run_filter_tasks
and t.kind <> 1
-- name: run_filter_ended_runs
and o.kind <> 2
-- name: run_filter_ended_tasks
and o.kind <> 1
-- name: run_filter_standalone
-- A workflow f of which no version has a single task has no such run: nothing is read.
and t.kind = 0
and exists (select from workflow_version v
            where v.workflow_id = f.id and jsonb_array_length(v.definition -> 'tasks') = 1
            offset 0)
-- name: run_filter_none
and false
-- name: run_filter_workflow
and t.workflow_id = {value}::uuid
-- name: run_filter_workflows
and t.workflow_id = any ({value}::uuid[])
-- name: run_filter_parent
and t.parent_task_id = {value}::uuid
-- name: run_filter_event
and t.trigger is not null and t.trigger ->> 'event_id' = {value}::text
-- name: run_filter_event_tasks
-- What an event has caused are runs; their members are found by the run.
and (t.id = any (array(select e.id from task e
                       where e.trigger is not null and e.trigger ->> 'event_id' = {value}::text))
     or t.kind = 2 and t.run_id = any (array(
            select e.id from task e
            where e.trigger is not null and e.trigger ->> 'event_id' = {value}::text)))
-- name: run_filter_keys
and t.idempotency_key = any ({value}::text[])
-- name: run_filter_keys_tasks
-- Keys belong to runs; their members are found by the run.
and (t.idempotency_key = any ({value}::text[])
     or t.kind = 2 and t.run_id = any (array(
            select k.id from task k
            where k.tenant_id = $1 and k.idempotency_key = any ({value}::text[]))))
-- name: run_filter_triggered
and t.trigger ->> 'event_id' is not null
-- name: run_filter_metadata
and t.metadata @> any ({value}::text[]::jsonb[])
-- name: run_filter_queues
-- Tasks of some workflows wait in few of the queues.
and q.action = any (array(
    select task ->> 'action'
    from workflow_version v
    cross join jsonb_array_elements(v.definition -> 'tasks') as task
    where v.tenant_id = $1 and v.workflow_id = any ({value}::uuid[])))
-- name: run_filter_parked
and i.version_id = any (array(
    select v.id from workflow_version v where v.workflow_id = any ({value}::uuid[])))
-- name: run_filter_action
q.action = any ({value}::text[])
-- name: run_filter_worker_ended
and o.worker_id = {value}::uuid
-- name: run_filter_worker_running
and a.worker_id = {value}::uuid

-- name: run_rows
-- All that is shown of these runs or tasks, newest first; k (id) are their ids. $3 and $4:
-- bounds of the ids and of those of their runs. $5: with payloads; a member has the input of its
-- run. A task that neither ended nor runs waits: its attempt is in the hot row, which is found
-- through the queue of its action. A member without any such row waits for its parents.
select t.id, t.run_id, t.kind, t.workflow_id, t.version_id, t.step, t.priority, t.created_at,
       case when $5::boolean then coalesce(r.input, t.input) end as input,
       t.metadata::text as metadata, t.parent_task_id, t.idempotency_key,
       o.status as ended_status, o.attempt as ended_attempt, o.finished_at,
       o.assigned_at as ended_assigned_at, o.started_at as ended_started_at,
       o.worker_id as ended_worker_id,
       case when $5::boolean
            then coalesce(o.output, case when o.skipped then '{"skipped": true}' end)
       end as output,
       o.error,
       coalesce(o.skipped, false) as skipped,
       a.attempt as live_attempt, a.worker_id as live_worker_id, a.assigned_ms, a.started_ms,
       coalesce(w.attempt, replayed.attempt) as waiting_attempt,
       w.waits is not null as waits,
       case when t.kind = 1 and o.id is null then {begun} else false end as begun
from {keys}
join task t on t.tenant_id = $1 and t.id = k.id
left join task r on $5::boolean and t.kind = 2 and r.tenant_id = $1 and r.id = t.run_id
     and r.id >= $3 and r.id <= $4
left join outcome o on o.tenant_id = $1 and o.id = k.id and o.id >= $3 and o.id <= $4
left join assignment a on a.task_id = k.id
left join lateral (
    select i.attempt, true as waits
    from workflow_version v
    join queue q on q.tenant_id = $1
                and q.action = v.definition #>> array['tasks', t.step::text, 'action']
    cross join unnest('{-4,-3,-2,-1}'::smallint[]) as r (rank)
    join queue_item i on i.queue_id = q.id and i.rank = r.rank and i.task_id = t.id
    where v.id = t.version_id and t.kind <> 1 and o.id is null and a.task_id is null
    union all
    select p.attempt, true from parked_item p
    where p.task_id = t.id and t.kind <> 1 and o.id is null and a.task_id is null
    union all
    select d.attempt, true from delayed_item d
    where d.task_id = t.id and o.id is null and a.task_id is null
    union all
    select null, true from task_wait x
    where x.task_id = t.id and o.id is null and a.task_id is null
    limit 1
) w on true
left join lateral (
    -- A replayed member that waits for parents or conditions has its attempt in no hot row.
    select max(e.attempt) as attempt
    from task_event e
    where e.task_id = t.id and e.kind = 7 and e.id > t.id
      and t.kind <> 1 and o.id is null and a.task_id is null and w.attempt is null
) replayed on true
where t.id >= $3 and t.id <= $4
order by t.id desc;

-- name: run_keys
unnest($2::uuid[]) as k (id)

-- name: run_keys_members
-- Members of several runs. Each run comes with an id that is larger than those of its members, so
-- that only the partitions of its day are looked at.
(select c.id
 from unnest($2::uuid[], $6::uuid[]) as d (id, after)
 cross join lateral (select c.id from task c
                     where c.tenant_id = $1 and c.run_id = d.id and c.kind = 2
                       and c.id > d.id and c.id < d.after) c) as k (id)

-- name: run_keys_children
-- Runs that these tasks have spawned, at most $6 in all, the oldest first.
(select c.id from task c
 where c.tenant_id = $1 and c.parent_task_id = any ($2::uuid[]) and c.kind <> 2
   and c.id >= $3 and c.id <= $4
 order by c.id
 limit $6) as k (id)

-- name: run_child_counts
-- Runs that each task has spawned, counted up to $3; tasks without any are left out.
select k.id, n.children
from unnest($2::uuid[]) as k (id)
cross join lateral (
    select count(*) as children
    from (select from task c
          where c.tenant_id = $1 and c.parent_task_id = k.id and c.id > k.id and c.kind <> 2
          limit $3) c
) n
where n.children > 0;

-- name: task_waits
-- What a task waits for.
select x.position, x.due_ms, x.event_key, x.event_scope, x.met
from task_wait x
where x.tenant_id = $1 and x.task_id = $2
order by x.position;

-- name: run_status
select o.status as ended_status,
       case when o.id is not null or a.task_id is not null then true
            when t.kind = 1 then {begun} else false end as live
from task t
left join outcome o on o.tenant_id = $1 and o.id = $2
left join assignment a on a.task_id = $2
where t.tenant_id = $1 and t.id = $2 and t.kind <> 2;

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

-- name: version_actions
-- Versions newer than $2, oldest first: all tasks, and whether they begin a run.
select v.id, t.position - 1 as step, task ->> 'action' as action,
       jsonb_array_length(task -> 'parents') = 0
         and not coalesce((task ->> 'on_failure')::boolean, false) as root
from workflow_version v
cross join lateral jsonb_array_elements(v.definition -> 'tasks')
     with ordinality as t (task, position)
where v.tenant_id = $1 and v.id > $2
order by v.id, t.position;
