-- name: pause_list
select tenant_id, kind, target, since_ms, until_ms, by, reason, queue_ttl_ms, drop_crons,
       drop_scheduled
from pause;

-- name: pause_put_many
insert into pause (tenant_id, kind, target, since_ms, until_ms, by, reason, queue_ttl_ms,
                   drop_crons, drop_scheduled)
select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::bigint[], $5::bigint[],
                     $6::text[], $7::text[], $8::bigint[], $9::boolean[], $10::boolean[])
on conflict (tenant_id, kind, target) do update
set since_ms = excluded.since_ms, until_ms = excluded.until_ms, by = excluded.by,
    reason = excluded.reason, queue_ttl_ms = excluded.queue_ttl_ms,
    drop_crons = excluded.drop_crons, drop_scheduled = excluded.drop_scheduled;

-- name: pause_delete_many
delete from pause p
using unnest($1::uuid[], $2::smallint[], $3::text[]) as k (tenant_id, kind, target)
where p.tenant_id = k.tenant_id and p.kind = k.kind and p.target = k.target;
