-- name: task_insert_plain
-- Standalone runs of one step that nothing spawned and that ask for no worker: nearly all.
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, metadata)
select $1, id, id, 0, $2, $3, $4, priority, $5, input, metadata
from unnest($6::uuid[], $7::smallint[], $8::text[], $9::jsonb[])
     as t (id, priority, input, metadata);

-- name: task_insert_many
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, metadata, parent_task_id, child_index, child_key, demand)
select tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, $15,
       input, metadata, parent_task_id, child_index, child_key, demand
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::uuid[], $6::uuid[],
            $7::smallint[], $8::smallint[], $9::text[], $10::jsonb[], $11::uuid[], $12::integer[],
            $13::text[], $14::jsonb[])
     as t (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, input, metadata,
           parent_task_id, child_index, child_key, demand);

-- name: task_get_many
select t.tenant_id, t.id, t.run_id, t.kind, t.workflow_id, t.version_id, t.step, t.priority,
       t.created_at, t.input, t.metadata::text as metadata, t.parent_task_id, t.child_index,
       t.child_key, t.demand::text as demand
from unnest($2::uuid[]) as k (id)
join task t on t.tenant_id = $1 and t.id = k.id
where t.id >= $3 and t.id <= $4;

-- name: task_existing
select t.id
from unnest($2::uuid[]) as k (id)
join task t on t.tenant_id = $1 and t.id = k.id
where t.id >= $3 and t.id <= $4;

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
