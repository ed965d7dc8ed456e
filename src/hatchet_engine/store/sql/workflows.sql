-- name: workflow_latest_list
-- The newest version of every workflow that is not deleted.
select w.tenant_id, w.id as workflow_id, w.name, v.id as version_id, v.number, v.digest,
       v.definition::text as definition, v.created_at
from workflow w
join lateral (select * from workflow_version v where v.workflow_id = w.id
              order by v.number desc limit 1) v on true
where w.deleted_at is null;

-- name: workflow_version_get_many
select v.tenant_id, v.workflow_id, w.name, v.id as version_id, v.number, v.digest,
       v.definition::text as definition, v.created_at
from workflow_version v
join workflow w on w.id = v.workflow_id
where v.id = any ($1::uuid[]);

-- name: workflow_insert
insert into workflow (id, tenant_id, name, description, created_at, updated_at)
values ($1, $2, $3, $4, $5, $5);

-- name: workflow_touch
update workflow set description = $2, updated_at = $3 where id = $1;

-- name: workflow_version_insert
insert into workflow_version (id, tenant_id, workflow_id, number, digest, definition, created_at)
values ($1, $2, $3, $4, $5, $6, $7);

-- name: workflow_delete
update workflow set deleted_at = $3, name = name || '-deleted-' || $4, updated_at = $3
where tenant_id = $1 and id = $2 and deleted_at is null
returning id;
