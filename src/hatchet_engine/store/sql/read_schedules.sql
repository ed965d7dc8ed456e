-- Reads of crons and scheduled runs for REST. {order} stands for the columns to order by, {begun} for
-- run_begun_member of read_runs.sql.

-- name: cron_rows
select c.id, c.tenant_id, c.workflow_id, w.name as workflow, v.id as version_id, c.name,
       c.expression, c.zone, c.catch_up, c.catch_up_max, c.overlap, c.jitter_ms, c.start_ms,
       c.end_ms, c.input, c.metadata::text as metadata, c.priority, c.declarative, c.enabled,
       c.next_fire_ms, c.waiting, c.last_tick_ms, c.last_run_id, c.error, c.created_at, c.updated_at
from cron c
join workflow w on w.id = c.workflow_id
join lateral (select v.id from workflow_version v where v.workflow_id = c.workflow_id
              order by v.number desc limit 1) v on true
where c.tenant_id = $1

-- name: cron_list
-- $2 to $5: workflow, its name, the cron's name, metadata to contain; null: all.
{rows}
  and ($2::uuid is null or c.workflow_id = $2) and ($3::text is null or w.name = $3)
  and ($4::text is null or c.name = $4) and ($5::jsonb is null or c.metadata @> $5)
order by {order}
offset $6 limit $7;

-- name: cron_count
select count(*) from (
    select from cron c
    join workflow w on w.id = c.workflow_id
    where c.tenant_id = $1
      and ($2::uuid is null or c.workflow_id = $2) and ($3::text is null or w.name = $3)
      and ($4::text is null or c.name = $4) and ($5::jsonb is null or c.metadata @> $5)
    limit $6) c;

-- name: scheduled_rows
select s.id, s.tenant_id, s.workflow_id, w.name as workflow, v.id as version_id, s.due_ms, s.input,
       s.metadata::text as metadata, s.priority, s.declarative, s.run_id, s.error, s.created_at,
       s.updated_at, {status} as status
from scheduled_run s
join workflow w on w.id = s.workflow_id
join lateral (select v.id from workflow_version v where v.workflow_id = s.workflow_id
              order by v.number desc limit 1) v on true
{joins}
where s.tenant_id = $1

-- name: scheduled_joins
left join task t on t.tenant_id = $1 and t.id = s.run_id
left join outcome o on o.tenant_id = $1 and o.id = s.run_id
left join assignment a on a.task_id = s.run_id

-- name: scheduled_status
-- Its own state, and once it has fired that of its run, in the words of the API.
case when s.fired_ms is null then 'SCHEDULED'
     when s.run_id is null then 'FAILED'
     when o.status is not null then (array['SUCCEEDED', 'FAILED', 'CANCELLED'])[o.status - 1]
     when a.task_id is not null then 'RUNNING'
     when t.kind = 1 and {begun} then 'RUNNING'
     else 'QUEUED' end

-- name: scheduled_filters
-- $2 to $6: workflow, parent run, parent task, metadata to contain, statuses; null: all.
  and ($2::uuid is null or s.workflow_id = $2) and ($3::uuid is null or s.parent_run_id = $3)
  and ($4::uuid is null or s.parent_task_id = $4) and ($5::jsonb is null or s.metadata @> $5)
  and ($6::text[] is null or {status} = any ($6))

-- name: scheduled_list
{rows}
{filters}
order by {order}
offset $7 limit $8;

-- name: scheduled_count
select count(*) from (
    select from scheduled_run s
    {joins}
    where s.tenant_id = $1
    {filters}
    limit $7) s;
