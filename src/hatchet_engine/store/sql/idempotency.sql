-- name: idempotency_key_claim
-- A claim in whose place there is a row takes it over: the turn has seen that it has expired.
insert into idempotency_key (tenant_id, workflow_id, key, run_id, until_end, expires_ms)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::boolean[], $6::bigint[])
on conflict (workflow_id, key) do update
set run_id = excluded.run_id, until_end = excluded.until_end, expires_ms = excluded.expires_ms;

-- name: idempotency_key_free
delete from idempotency_key where until_end and run_id = any ($1::uuid[]);

-- name: idempotency_key_holders
-- Who holds these keys, or held them until they expired. "offset 0" keeps the look-up by key apart, so that a plan made
-- while the table was empty still uses the index when it has grown.
select h.workflow_id, h.key, h.run_id, h.expires_ms
from unnest($1::uuid[], $2::text[]) as k (workflow_id, key)
cross join lateral (
    select * from idempotency_key
    where workflow_id = k.workflow_id and key = k.key
    offset 0
) as h;

-- name: idempotency_key_sweep
-- Rows that the writer is about to take over are locked and passed over: neither waits.
with gone as (
    select workflow_id, key from idempotency_key
    where expires_ms <= $1
    order by expires_ms
    limit $2
    for update skip locked
)
delete from idempotency_key i using gone g
where i.workflow_id = g.workflow_id and i.key = g.key and i.expires_ms <= $1;
