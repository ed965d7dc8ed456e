-- name: filter_list
select id, tenant_id, workflow_id, scope, expression, payload, declarative, created_at, updated_at
from event_filter;

-- name: filter_insert
insert into event_filter (id, tenant_id, workflow_id, scope, expression, payload, declarative,
                          created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $8);

-- name: filter_update
update event_filter set scope = $2, expression = $3, payload = $4, updated_at = $5 where id = $1;

-- name: filter_delete
delete from event_filter where id = $1;

-- name: filter_delete_declarative
delete from event_filter where workflow_id = $1 and declarative;
