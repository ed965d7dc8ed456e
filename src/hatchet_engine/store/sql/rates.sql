-- name: rate_limit_list
select tenant_id, key, limit_value, window_length, remaining, began_ms
from rate_limit;

-- name: rate_limit_put_many
insert into rate_limit (tenant_id, key, limit_value, window_length, remaining, began_ms,
                        updated_at)
select *, $7 from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[],
                         $6::bigint[])
on conflict (tenant_id, key) do update
set limit_value = excluded.limit_value, window_length = excluded.window_length,
    remaining = excluded.remaining, began_ms = excluded.began_ms,
    updated_at = excluded.updated_at;

-- name: rate_limit_delete_many
delete from rate_limit where ctid = any (array(
    select found.ctid
    from unnest($1::uuid[], $2::text[]) as k (tenant_id, key)
    cross join lateral (
        select r.ctid from rate_limit r where r.tenant_id = k.tenant_id and r.key = k.key offset 0
    ) found));
