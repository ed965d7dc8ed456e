-- name: cron_insert
insert into cron (id, tenant_id, workflow_id, name, expression, zone, catch_up, catch_up_max, overlap,
                  jitter_ms, start_ms, end_ms, input, metadata, priority, declarative, enabled,
                  tick_ms, next_fire_ms, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $20);

-- name: cron_exists
select exists (select from cron
               where workflow_id = $1 and not declarative and name = $2 and expression = $3);

-- name: cron_get
select c.id, c.workflow_id, w.name as workflow, c.name, c.expression, c.zone, c.catch_up,
       c.catch_up_max, c.overlap, c.jitter_ms, c.start_ms, c.end_ms, c.input,
       c.metadata::text as metadata, c.priority, c.enabled
from cron c
join workflow w on w.id = c.workflow_id
where c.tenant_id = $1 and c.id = $2;

-- name: cron_set_enabled
update cron set enabled = $2, tick_ms = $3, next_fire_ms = $4, waiting = false, updated_at = $5
where id = $1;

-- name: cron_set_input
-- Of one that a new version of its workflow declares again.
update cron set input = $2, updated_at = $3 where id = $1;

-- name: cron_delete
delete from cron where tenant_id = $1 and id = $2 returning id;

-- name: cron_declared
select id, expression from cron where workflow_id = $1 and declarative;

-- name: cron_delete_many
delete from cron where id = any ($1::uuid[]);

-- name: cron_delete_workflow
delete from cron where workflow_id = $1;

-- name: cron_due
-- $4: only these; null: all.
select c.id, c.tenant_id, c.workflow_id, w.name as workflow, c.name, c.expression, c.zone,
       c.catch_up, c.catch_up_max, c.overlap, c.jitter_ms, c.start_ms, c.end_ms, c.input,
       c.metadata::text as metadata, c.priority, c.tick_ms, c.waiting, c.last_run_id,
       c.last_tick_ms, d.found
from (
    select d.id, count(*) over () as found,
           sum(octet_length(d.input)) over (order by d.next_fire_ms, d.id)
               - octet_length(d.input) as bytes_before
    from (select id, next_fire_ms, input from cron
          where next_fire_ms <= $1 and ($4::uuid[] is null or id = any ($4))
          order by next_fire_ms, id
          limit $2) d
) d
join cron c on c.id = d.id
join workflow w on w.id = c.workflow_id
where d.bytes_before < $3
order by c.next_fire_ms, c.id;

-- name: cron_move_many
update cron c
set tick_ms = v.tick_ms, next_fire_ms = v.next_fire_ms, waiting = v.waiting,
    last_tick_ms = v.last_tick_ms, last_run_id = v.last_run_id, error = v.error,
    error_ms = v.error_ms
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[], $6::uuid[],
            $7::text[], $8::bigint[])
     as v (id, tick_ms, next_fire_ms, waiting, last_tick_ms, last_run_id, error, error_ms)
where c.id = v.id;

-- name: cron_release_many
-- The run that their ticks wait for has ended.
update cron set next_fire_ms = $2 where id = any ($1::uuid[]) and waiting;

-- name: cron_waiting_list
select id, last_run_id from cron where waiting and next_fire_ms is null;

-- name: run_live_list
-- Which of these runs have not ended.
select t.id
from unnest($1::uuid[], $2::uuid[]) as v (tenant_id, id)
join task t on t.tenant_id = v.tenant_id and t.id = v.id
left join outcome o on o.tenant_id = v.tenant_id and o.id = v.id
where o.id is null and t.id >= $3 and t.id <= $4;

-- name: schedule_next_due
-- When the next cron or scheduled run after $1 is due; null: never.
select least((select min(next_fire_ms) from cron where next_fire_ms > $1),
             (select min(due_ms) from scheduled_run where fired_ms is null and due_ms > $1));

-- name: scheduled_insert_many
insert into scheduled_run (id, tenant_id, workflow_id, due_ms, input, metadata, priority,
                           declarative, parent_run_id, parent_task_id, child_index, child_key,
                           created_at, updated_at)
select v.id, $3, $4, v.due_ms, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13
from unnest($1::uuid[], $2::bigint[]) as v (id, due_ms);

-- name: scheduled_get_many
select s.id, s.declarative, s.fired_ms
from scheduled_run s
where s.tenant_id = $1 and s.id = any ($2::uuid[]);

-- name: scheduled_get
select s.id, w.name as workflow, s.input, s.metadata::text as metadata, s.priority, s.fired_ms
from scheduled_run s
join workflow w on w.id = s.workflow_id
where s.tenant_id = $1 and s.id = $2;

-- name: scheduled_select
-- The first rows behind $6 that a filter selects; null: not asked for.
select s.id, s.declarative, s.fired_ms
from scheduled_run s
where s.tenant_id = $1 and s.fired_ms is null
  and ($2::uuid is null or s.workflow_id = $2)
  and ($3::uuid is null or s.parent_run_id = $3)
  and ($4::uuid is null or s.parent_task_id = $4)
  and ($5::jsonb is null or s.metadata @> $5)
  and s.id > $6
order by s.id
limit $7;

-- name: scheduled_move_many
update scheduled_run s set due_ms = v.due_ms, updated_at = $3
from unnest($1::uuid[], $2::bigint[]) as v (id, due_ms)
where s.id = v.id;

-- name: scheduled_delete_many
delete from scheduled_run where id = any ($1::uuid[]);

-- name: scheduled_delete_workflow
delete from scheduled_run where workflow_id = $1 and fired_ms is null;

-- name: scheduled_due
-- Those due at $1 behind ($5, $6), at most $2, of about $3 bytes of input, save those of the workflows
-- $4; $8: only these; null: all. Looks at $7 rows at most; the answer tells how many it were and which
-- was the last one, also when it has no other row.
with looked as materialized (
    select id, due_ms, workflow_id <> all ($4::uuid[]) as free, octet_length(input) as bytes
    from scheduled_run
    where fired_ms is null and due_ms <= $1 and (due_ms, id) > ($5::bigint, $6::uuid)
      and ($8::uuid[] is null or id = any ($8))
    order by due_ms, id
    limit $7
)
select s.id, s.tenant_id, w.name as workflow, s.input, s.metadata::text as metadata, s.priority,
       s.due_ms, d.found, e.looked, e.last_due_ms, e.last_id
from (select count(*) as looked, (array_agg(due_ms))[count(*)] as last_due_ms,
             (array_agg(id))[count(*)] as last_id
      from looked) e
left join (
    select id, count(*) over () as found,
           sum(bytes) over (order by due_ms, id) - bytes as bytes_before
    from (select * from looked where free limit $2) f
) d on d.bytes_before < $3
left join scheduled_run s on s.id = d.id
left join workflow w on w.id = s.workflow_id
order by s.due_ms, s.id;

-- name: scheduled_fired_many
update scheduled_run s set fired_ms = $4, run_id = v.run_id, error = v.error
from unnest($1::uuid[], $2::uuid[], $3::text[]) as v (id, run_id, error)
where s.id = v.id;

-- name: scheduled_drop_fired
-- Rows that fired before $1, at most $2; how many.
with gone as (
    delete from scheduled_run
    where id in (select id from scheduled_run where fired_ms < $1 order by fired_ms limit $2)
    returning id
)
select count(*) from gone;
