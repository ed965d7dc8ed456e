-- Reads of task_log. {filters} stands for the conditions in use.

-- name: log_list_task
-- Lines of one task. They arrive as they are written, so the index gives them nearly in order.
select l.task_id, l.attempt, l.at, l.level, l.message, l.metadata::text as metadata
from task_log l
where l.tenant_id = $1 and l.task_id = $2 and l.id >= $3
  {filters}
order by l.at {direction}, l.id {direction}
limit $4;

-- name: log_list_tenant
select l.task_id, l.attempt, l.at, l.level, l.message, l.metadata::text as metadata
from task_log l
where l.tenant_id = $1 and l.id >= $2 and l.id < $3
  {filters}
order by l.at {direction}, l.id {direction}
limit $4;

-- name: log_points
-- Lines per bucket of $5 seconds and level; $4: start of the first bucket.
select floor(extract(epoch from l.at - $4::timestamptz) / $5::integer)::integer as bucket,
       l.level, count(*) as lines
from task_log l
where l.tenant_id = $1 and l.id >= $2 and l.id < $3 and l.at >= $4::timestamptz
  {filters}
group by 1, 2;

-- name: log_filter_since
and l.at > {value}::timestamptz
-- name: log_filter_until
and l.at < {value}::timestamptz
-- name: log_filter_search
and l.message ilike {value}::text
-- name: log_filter_levels
and l.level = any ({value}::text[])
-- name: log_filter_attempt
and l.attempt = {value}::integer
-- name: log_filter_tasks
and l.task_id = any ({value}::uuid[])
-- name: log_filter_workflows
and exists (select from task t
            where t.tenant_id = l.tenant_id and t.id = l.task_id
              and t.workflow_id = any ({value}::uuid[]))
-- name: log_filter_steps
-- Pairs of version and step, as two arrays.
and exists (select from task t
            join unnest({value}::uuid[], {second}::smallint[]) as s (version_id, step)
              on s.version_id = t.version_id and s.step = t.step
            where t.tenant_id = l.tenant_id and t.id = l.task_id)

-- name: log_versions
-- The newest versions of the tenant, with how many tasks each has.
select v.id, jsonb_array_length(v.definition -> 'tasks') as tasks
from workflow_version v
where v.tenant_id = $1
order by v.created_at desc
limit $2;
