-- Reads of bulk operations.

-- name: bulk_get
select b.id, b.kind, b.filter::text as filter, b.children, b.reason, b.total, b.done,
       b.changed, b.created_at, b.finished_at, b.error
from bulk_operation b
where b.tenant_id = $1 and b.id = $2;

-- name: bulk_list
select b.id, b.kind, b.filter::text as filter, b.children, b.reason, b.total, b.done,
       b.changed, b.created_at, b.finished_at, b.error
from bulk_operation b
where b.tenant_id = $1
order by b.id desc
offset $2 limit $3;

-- name: bulk_count
select count(*) from (select from bulk_operation b where b.tenant_id = $1 limit $2) b;
