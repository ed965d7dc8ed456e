-- Reads of workflows, their versions, workers and tenants.

-- name: workflow_list
-- $2: part of a name as a pattern for ilike, null: all; $3: the exact name, shown first.
select w.id, w.tenant_id, w.name, w.description, w.created_at, w.updated_at,
       p.target is not null as paused, p.drop_crons, p.drop_scheduled, count(*) over () as total
from workflow w
left join pause p on p.tenant_id = $1 and p.kind = 2 and p.target = w.id::text
where w.tenant_id = $1 and w.deleted_at is null and ($2::text is null or w.name ilike $2)
order by (w.name = $3::text) desc nulls last, w.created_at desc, w.id desc
offset $4 limit $5;

-- name: workflow_count
select count(*) from workflow w
where w.tenant_id = $1 and w.deleted_at is null and ($2::text is null or w.name ilike $2);

-- name: workflow_get
select w.id, w.tenant_id, w.name, w.description, w.created_at, w.updated_at,
       p.target is not null as paused, p.drop_crons, p.drop_scheduled
from workflow w
left join pause p on p.tenant_id = $1 and p.kind = 2 and p.target = w.id::text
where w.tenant_id = $1 and w.id = $2 and w.deleted_at is null;

-- name: workflow_version_get
-- $3: a version's id, null: the newest.
select v.id, v.workflow_id, v.number, v.created_at, v.definition::text as definition
from workflow_version v
where v.tenant_id = $1 and v.workflow_id = $2 and ($3::uuid is null or v.id = $3)
order by v.number desc
limit 1;

-- name: workflow_names_by_action
-- Workflows whose newest version has a task with one of these actions (lower case).
select w.id, w.name
from workflow w
join lateral (select v.definition from workflow_version v
              where v.workflow_id = w.id order by v.number desc limit 1) v on true
where w.tenant_id = $1 and w.deleted_at is null
  and exists (select from jsonb_array_elements(v.definition -> 'tasks') as task
              where task ->> 'action' = any ($2::text[]))
order by w.name;

-- name: worker_list
-- Workers that are here, or were heard of since $2; newest first.
select w.id, w.tenant_id, w.name, w.actions, w.slots::text as slots, w.labels::text as labels,
       w.runtime::text as runtime, w.protocol, w.created_at, w.last_heartbeat_at,
       w.stream_opened_at, w.left_at,
       w.draining or exists (select from pause p
                             where p.tenant_id = w.tenant_id and p.kind = $4
                               and p.target = w.id::text) as paused
from worker w
where w.tenant_id = $1
  and (w.left_at is null or greatest(w.last_heartbeat_at, w.left_at) >= $2)
order by w.created_at desc, w.id desc
limit $3;

-- name: worker_view
select w.id, w.tenant_id, w.name, w.actions, w.slots::text as slots, w.labels::text as labels,
       w.runtime::text as runtime, w.protocol, w.created_at, w.last_heartbeat_at,
       w.stream_opened_at, w.left_at,
       w.draining or exists (select from pause p
                             where p.tenant_id = w.tenant_id and p.kind = $3
                               and p.target = w.id::text) as paused
from worker w
where w.tenant_id = $1 and w.id = $2;

-- name: worker_names
select w.id, w.name from worker w where w.tenant_id = $1 and w.id = any ($2::uuid[]);

-- name: tenant_get
select t.id, t.slug, t.name, t.created_at, t.updated_at
from tenant t
where t.id = $1 and t.deleted_at is null;

-- name: workflow_names
select w.id, w.name from workflow w where w.tenant_id = $1 and w.id = any ($2::uuid[]);
