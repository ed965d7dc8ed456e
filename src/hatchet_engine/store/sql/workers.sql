-- name: worker_present_list
-- Workers that may still come back: they have not left.
select id, tenant_id, name, actions, slots::text as slots, labels::text as labels, protocol,
       draining, stream_opened_at
from worker where left_at is null;

-- name: worker_get
select id, tenant_id, name, actions, slots::text as slots, labels::text as labels, protocol,
       draining, stream_opened_at
from (select * from worker where id = $1 offset 0) as w where tenant_id = $2;

-- name: worker_insert
insert into worker (id, tenant_id, name, actions, slots, labels, runtime, protocol, created_at,
                    last_heartbeat_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9);

-- name: worker_set_stream
update worker set stream_opened_at = $2, last_heartbeat_at = $2, left_at = null where id = $1;

-- name: worker_set_left_many
update worker set left_at = $2 where id = any ($1::uuid[]);

-- name: worker_set_labels
update worker set labels = $2 where id = $1;

-- name: worker_set_draining
update worker set draining = $2 where id = $1;

-- name: worker_set_heartbeat_many
update worker w set last_heartbeat_at = to_timestamp(k.at_ms / 1000.0)
from (
    select i.place, k.at_ms
    from unnest($1::uuid[], $2::bigint[]) as k (id, at_ms)
    cross join lateral (
        select ctid from worker where id = k.id
        offset 0
    ) as i (place)
) as k
where w.ctid = k.place;
