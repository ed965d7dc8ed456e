-- name: bulk_insert
insert into bulk_operation (id, tenant_id, kind, filter, children, reason, total, created_at,
                            finished_at)
values ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9);

-- name: bulk_open_list
select id, tenant_id, kind, filter::text as filter, children, reason, cursor, total, done, changed
from bulk_operation where finished_at is null order by id;

-- name: bulk_give_up
update bulk_operation set finished_at = $2, error = $3 where id = $1;

-- name: bulk_advance
update bulk_operation set cursor = $2, done = $3, changed = $4, finished_at = $5 where id = $1;
