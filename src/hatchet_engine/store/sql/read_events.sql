-- Reads of events, their runs, and event filters. An event's id carries the millisecond at which it
-- was seen, so a time window is a range of ids: $2 and $3, lowest and next id. {filters} stands for
-- the conditions in use, {most} for most rows, {begun} for run_begun_member of read_runs.sql.

-- name: event_branch
select e.id from event e
where e.tenant_id = $1 and e.id >= $2 and e.id < $3
  {filters}
order by e.id desc
limit {most}

-- name: event_branch_keys
-- Several keys: each is read in the order of its index.
select newest.id
from unnest({values}::text[]) as f (value)
cross join lateral (
    select e.id from event e
    where e.tenant_id = $1 and e.key = f.value and e.id >= $2 and e.id < $3
      {filters}
    order by e.id desc
    limit {most}
) newest

-- name: event_branch_scopes
select newest.id
from unnest({values}::text[]) as f (value)
cross join lateral (
    select e.id from event e
    where e.tenant_id = $1 and e.scope = f.value and e.id >= $2 and e.id < $3
      {filters}
    order by e.id desc
    limit {most}
) newest

-- name: event_ids
select p.id from ({branch}) p order by p.id desc offset {offset} limit {limit};

-- name: event_count
select count(*) from ({branch}) p;

-- name: event_ids_of_runs
-- Events by the runs that they caused, of which the branches give the newest; {0} and {1} are the
-- lowest and next id of events.
with runs as materialized (select distinct p.id from ({branches}) p),
found as materialized (
    select distinct e.id
    from runs r
    join task t on t.tenant_id = $1 and t.id = r.id
    join event e on e.tenant_id = $1 and e.id = (t.trigger ->> 'event_id')::uuid
    where t.id >= $2 and t.id < $3 and e.id >= {0} and e.id < {1}
      {filters}
)
select (select count(*) from found) as events,
       array(select f.id from found f order by f.id desc offset {2}::bigint limit {3}::bigint) as ids;

-- name: event_filter_keys
and e.key = any ({value}::text[])
-- name: event_filter_key
and e.key = {value}::text
-- name: event_filter_scopes
and e.scope is not null and e.scope = any ({value}::text[])
-- name: event_filter_scope
and e.scope is not null and e.scope = {value}::text
-- name: event_filter_ids
and e.id = any ({value}::uuid[])
-- name: event_filter_metadata
and e.metadata is not null and e.metadata @> any ({value}::text[]::jsonb[])

-- name: event_rows
select e.id, e.key, e.scope, e.payload, e.metadata::text as metadata, e.priority, e.source
from event e
where e.tenant_id = $1 and e.id = any ($2::uuid[]) and e.id >= $3 and e.id <= $4
order by e.id desc;

-- name: event_runs
-- Runs that these events caused, at most $4 of each, with their statuses. Each event comes with an
-- id that is larger than those of its runs, which were made in the same turn.
select v.id as event_id, t.id, t.filter_id,
       case when o.status is not null then o.status
            when a.task_id is not null then 1
            when t.kind = 1 and {begun} then 1
            else 0 end as status
from unnest($2::uuid[], $3::uuid[]) as v (id, after)
cross join lateral (
    select t.id, t.kind, t.run_id, t.trigger ->> 'filter_id' as filter_id
    from task t
    where t.trigger is not null and t.trigger ->> 'event_id' = v.id::text
      and t.id > v.id and t.id < v.after and t.tenant_id = $1 and t.kind <> 2
    order by t.id
    limit $4
) t
left join outcome o on o.tenant_id = $1 and o.id = t.id
left join assignment a on a.task_id = t.id
order by v.id desc, t.id;

-- name: event_keys
-- Each step of the recursion jumps to the next key of the index.
with recursive keys as (
    (select e.key from event e where e.tenant_id = $1 and e.id >= $2 order by e.key limit 1)
    union all
    select (select e.key from event e
            where e.tenant_id = $1 and e.key > k.key and e.id >= $2
            order by e.key limit 1)
    from keys k
    where k.key is not null
)
select k.key from keys k where k.key is not null limit $3;

-- name: filter_get
select f.id, f.tenant_id, f.workflow_id, f.scope, f.expression, f.payload, f.declarative,
       f.created_at, f.updated_at
from event_filter f
where f.tenant_id = $1 and f.id = $2;

-- name: filter_list
-- $2, $3: workflows and scopes, null: all.
select f.id, f.tenant_id, f.workflow_id, f.scope, f.expression, f.payload, f.declarative,
       f.created_at, f.updated_at
from event_filter f
where f.tenant_id = $1
  and ($2::uuid[] is null or f.workflow_id = any ($2)) and ($3::text[] is null or f.scope = any ($3))
order by f.id desc
offset $4 limit $5;

-- name: filter_count
select count(*)
from (select from event_filter f
      where f.tenant_id = $1
        and ($2::uuid[] is null or f.workflow_id = any ($2))
        and ($3::text[] is null or f.scope = any ($3))
      limit $4) f;
