-- name: task_insert_plain
-- Standalone runs of one step that nothing spawned and that ask for no worker: nearly all.
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, metadata, origin)
select $1, id, id, 0, $2, $3, $4, priority, $5, input, metadata, origin
from unnest($6::uuid[], $7::smallint[], $8::text[], $9::jsonb[], $10::bigint[])
     as t (id, priority, input, metadata, origin);

-- name: task_insert_many
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, metadata, parent_task_id, child_index, child_key, demand, trigger,
                  idempotency_key, origin)
select tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, $18,
       input, metadata, parent_task_id, child_index, child_key, demand, trigger, idempotency_key,
       origin
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::uuid[], $6::uuid[],
            $7::smallint[], $8::smallint[], $9::text[], $10::jsonb[], $11::uuid[], $12::integer[],
            $13::text[], $14::jsonb[], $15::jsonb[], $16::text[], $17::bigint[])
     as t (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, input, metadata,
           parent_task_id, child_index, child_key, demand, trigger, idempotency_key, origin);

-- name: task_insert_members
-- Tasks of runs of one version; the input stands with the run.
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, metadata)
select $1, id, run_id, 2, $2, $3, step, priority, $4, '', metadata
from unnest($5::uuid[], $6::uuid[], $7::smallint[], $8::smallint[], $9::jsonb[])
     as t (id, run_id, step, priority, metadata);

-- name: task_get_many
select t.tenant_id, t.id, t.run_id, t.kind, t.workflow_id, t.version_id, t.step, t.priority,
       t.created_at, t.input, t.metadata::text as metadata, t.parent_task_id, t.child_index,
       t.child_key, t.demand::text as demand, (t.trigger -> 'filter_payload')::text as filter_payload
from task t
where t.tenant_id = $1 and t.id = any ($2::uuid[]) and t.id >= $3 and t.id <= $4;

-- name: task_existing
select t.id from task t
where t.tenant_id = $1 and t.id = any ($2::uuid[]) and t.id >= $3 and t.id <= $4;

-- name: task_by_origin
-- Runs of calls that are sent again, among those that are not older than $2.
select t.id, t.origin
from task t
where t.tenant_id = $1 and t.id >= $2 and t.origin = any ($3::bigint[]);

-- name: task_ids_by_filter
-- Finished ones and live ones alike; status is judged by the hot rows and the outcome.
select t.id
from task t
left join outcome o on o.tenant_id = t.tenant_id and o.id = t.id
left join assignment a on a.task_id = t.id
where t.tenant_id = $1 and t.kind <> 2
  and t.id >= $2 and t.id < $3
  and t.created_at >= $4 and t.created_at <= $5
  and (cardinality($6::smallint[]) = 0
       or coalesce(o.status, case when a.task_id is null then 0 else 1 end) = any ($6))
  and (cardinality($7::uuid[]) = 0 or t.workflow_id = any ($7))
  and (cardinality($8::text[]) = 0
       or exists (select 1 from unnest($8::text[], $9::text[]) as m (key, value)
                  where t.metadata ->> m.key = m.value))
order by t.id
limit $10;

-- name: task_members
-- Tasks of runs that are loaded into memory, with how they ended, ordered as outcome_members. $4:
-- longest output to take along.
select c.run_id, c.id, c.step, o.status, o.skipped, o.attempt, o.error, o.worker_id,
       o.finished_at, coalesce(o.started_at, o.assigned_at) as begun_at,
       coalesce(length(o.output) <= $4, true) as output_known,
       case when length(o.output) <= $4 then o.output end as output
from task c
left join lateral (
    select * from outcome
    where tenant_id = $1 and id = c.id and id >= $3
    offset 0
) as o on true
where c.run_id = any ($2::uuid[]) and c.kind = 2 and c.tenant_id = $1 and c.id >= $3
order by c.run_id;

-- name: task_parents
-- What children inherit of the tasks that spawn them.
select t.id, t.run_id, t.metadata::text as metadata
from task t
where t.tenant_id = $1 and t.id = any ($2::uuid[]) and t.kind <> 1 and t.id >= $3 and t.id <= $4;

-- name: task_children
-- Children that exist already, by parent and key (CH-2); never older than their parents.
select k.parent_id as parent_task_id, k.key, t.id, t.workflow_id
from unnest($2::uuid[], $3::text[]) as k (parent_id, key)
cross join lateral (
    select id, workflow_id from task
    where parent_task_id = k.parent_id and coalesce(child_key, child_index::text) = k.key
      and parent_task_id is not null and tenant_id = $1 and id >= $4
    offset 0
) as t;

-- name: task_descendants
-- Runs that these tasks have spawned, and those that their tasks have, down to any depth; only those
-- that have not ended, but also below those that have.
with recursive spawned as (
    select k.id, 0::smallint as kind, false as found from unnest($2::uuid[]) as k (id)
    union
    select t.id, t.kind, true
    from spawned s
    cross join lateral (
        select id, kind from task
        where parent_task_id = s.id and tenant_id = $1 and id >= $3
        union all
        select id, kind from task
        where s.kind = 1 and run_id = s.id and kind = 2 and id >= $3
    ) t
)
select s.id
from spawned s
where s.found and s.kind <> 2
  and not exists (select from outcome o where o.tenant_id = $1 and o.id = s.id and o.id >= $3)
limit $4;

-- name: task_children_differ
-- Tell parents whose calls get children that older calls have made for something else (CH-4); each
-- at most $12 times. $8 null: the input is not looked at, $9 null: only its size is. $10 and $11:
-- the smallest and the largest id of the children.
insert into task_log (tenant_id, id, task_id, attempt, at, level, message)
select d.tenant_id, d.log_id, d.parent_id, d.attempt, $13, 'WARN', d.message
from (
    select v.*, row_number() over (partition by v.parent_id order by v.log_id) as number,
           format('Child %s exists already, as run %s', v.key, v.child_id)
           || case when t.workflow_id <> v.workflow_id
                   then format(' of workflow %s; workflow %s was asked for.',
                               (select w.name from workflow w where w.id = t.workflow_id),
                               (select w.name from workflow w where w.id = v.workflow_id))
                   else '; another input was asked for.' end
           || ' Where the order of calls may change, give each child a child_key of its own.'
               as message
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::uuid[],
                $7::uuid[], $8::integer[], $9::text[])
         as v (tenant_id, log_id, parent_id, attempt, key, child_id, workflow_id, size, md5)
    cross join lateral (
        select workflow_id, input from task
        where tenant_id = v.tenant_id and id = v.child_id and id >= $10 and id <= $11
        offset 0
    ) as t
    where t.workflow_id <> v.workflow_id or octet_length(t.input) <> v.size
          or md5(t.input) <> v.md5
) d
where d.number <= $12;
