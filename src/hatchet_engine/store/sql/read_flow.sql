-- Reads of what holds tasks back: rate limits, pauses, concurrency keys.

-- name: rate_limit_list
-- $2: a part of the key, null: all; $3: now, epoch ms. A window that has passed is shown as if the
-- next one had begun already: it begins when somebody asks for units.
with shown as (
    select r.key, coalesce(r.limit_value, 0) as limit_value, r.window_length, r.began_ms,
           p.target is not null as paused, p.until_ms as paused_until_ms,
           case when r.limit_value is null then 0
                when to_timestamp($3::bigint / 1000.0) at time zone 'UTC'
                     >= to_timestamp(r.began_ms / 1000.0) at time zone 'UTC'
                        + ('1 ' || r.window_length)::interval
                then r.limit_value
                else r.remaining
           end as value
    from rate_limit r
    left join pause p on p.tenant_id = r.tenant_id and p.kind = $6 and p.target = r.key
    where r.tenant_id = $1 and ($2::text is null or strpos(r.key, $2) > 0)
)
select *, count(*) over () as total
from shown
order by {order}, key {direction}
offset $4 limit $5;

-- name: rate_limit_count
select count(*) from rate_limit r
where r.tenant_id = $1 and ($2::text is null or strpos(r.key, $2) > 0);

-- name: pause_list
select p.kind, p.target, p.since_ms, p.until_ms, p.by, p.reason, p.queue_ttl_ms, p.drop_crons,
       p.drop_scheduled
from pause p
where p.tenant_id = $1
order by p.kind, p.since_ms, p.target
limit $2;

-- name: pauses_of
-- Those of these pauses that are on; $2: kinds, $3: their targets.
select p.kind, p.target, p.since_ms, p.until_ms, p.by, p.reason
from unnest($2::smallint[], $3::text[]) as k (kind, target)
join pause p on p.tenant_id = $1 and p.kind = k.kind and p.target = k.target
order by p.kind, p.target;

-- name: concurrency_limit_find
-- Rules of a tenant; each of $2 to $5 chooses, null: any.
select l.id, l.workflow_id, l.task, l.name, l.expression
from concurrency_limit l
where l.tenant_id = $1
  and ($2::uuid is null or l.workflow_id = $2)
  and ($3::text is null or l.task = $3)
  and ($4::text is null or l.expression = $4)
  and ($5::text is null or l.name = $5 and l.workflow_id is null)
order by l.id
limit $6;

-- name: concurrency_limit_get_many
select l.id, l.workflow_id, w.name as workflow, l.task, l.name, l.expression
from concurrency_limit l
left join workflow w on w.id = l.workflow_id
where l.tenant_id = $1 and l.id = any ($2::bigint[]);

-- name: concurrency_key_list
-- Keys under which somebody holds a place or waits for one, those with the most waiters first.
-- $2: rules to look at, null: all.
with present as (
    select p.line, count(*) as holders, 0 as waiting, max(p.max_runs) as max_runs
    from concurrency_place p
    where p.tenant_id = $1
    group by p.line
    union all
    select i.line, 0, count(*), null
    from parked_item i
    where i.tenant_id = $1 and i.line like 'c%'
    group by i.line
),
keys as (
    select substring(split_part(line, ':', 1) from 2)::bigint as limit_id,
           substring(line from position(':' in line) + 1) as key,
           line, sum(holders)::bigint as holders, sum(waiting)::bigint as waiting,
           max(max_runs) as max_runs
    from present
    group by line
)
select k.limit_id, k.key, k.line, k.holders, k.waiting, k.max_runs
from keys k
where $2::bigint[] is null or k.limit_id = any ($2)
order by k.waiting desc, k.holders desc, k.line
limit $3;

-- name: queued_keys
-- Tasks that wait for a place, per task definition and key.
select i.version_id, i.step, i.line, count(*) as total
from parked_item i
where i.tenant_id = $1 and i.line like 'c%'
group by 1, 2, 3
order by total desc
limit $2;

-- name: running_keys
-- Running tasks that hold a place of their own, per task definition and key.
select a.version_id, a.step, p.line, count(*) as total
from assignment a
join concurrency_place p on p.holder_id = a.task_id
where a.tenant_id = $1
group by 1, 2, 3
order by total desc
limit $2;

-- name: task_line
-- The line in which a task stands, or its run as a whole.
select i.line from parked_item i
where i.tenant_id = $1 and i.task_id = any ($2::uuid[])
limit 1;
