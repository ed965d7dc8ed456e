-- name: task_wait_insert_many
insert into task_wait (task_id, position, tenant_id, run_id, version_id, step, due_ms, event_key,
                       event_scope, met, data)
select * from unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::smallint[],
                     $7::bigint[], $8::text[], $9::text[], $10::boolean[], $11::text[]);

-- name: task_wait_delete_tasks
delete from task_wait where task_id = any ($1::uuid[]);

-- name: task_wait_delete_many
delete from task_wait
where ctid = any (array(
    select w.place
    from unnest($1::uuid[], $2::smallint[]) as k (task_id, position)
    cross join lateral (
        select ctid from task_wait where task_id = k.task_id and position = k.position
        offset 0
    ) as w (place)
));

-- name: task_wait_set_met
update task_wait w set met = true, data = k.data
from (
    select w.place, k.data
    from unnest($1::uuid[], $2::smallint[], $3::text[]) as k (task_id, position, data)
    cross join lateral (
        select ctid from task_wait where task_id = k.task_id and position = k.position
        offset 0
    ) as w (place)
) as k
where w.ctid = k.place;

-- name: task_wait_find_many
select task_id, position, tenant_id, run_id, version_id, step, met, data
from task_wait where task_id = any ($1::uuid[])
order by task_id, position;

-- name: task_wait_due
select task_id, position, tenant_id, run_id, version_id, step, due_ms
from task_wait
where due_ms is not null and not met and due_ms <= $1
order by due_ms
limit $2;

-- name: task_wait_next_due
select min(due_ms) from task_wait where due_ms is not null and not met and due_ms > $1;

-- name: task_wait_by_event
-- Waits for these keys, oldest tasks first. "offset 0" keeps the look-up by key apart, so that a
-- plan made while the table was empty still uses the index when it has grown.
select w.task_id, w.position, w.tenant_id, w.run_id, w.version_id, w.step, w.event_key,
       w.event_scope
from unnest($2::text[]) as k (key)
cross join lateral (
    select * from task_wait
    where tenant_id = $1 and event_key = k.key and event_key is not null and not met
    offset 0
) as w
order by w.task_id, w.position;
