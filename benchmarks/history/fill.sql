-- A long history of one tenant, made by the database itself. Everything about run number g follows
-- from g, so that each table is filled by a statement of its own. $1 first and $2 last run number.
-- {name} stands for a value of the fill; see fill.py.

-- name: functions
create function pg_temp.at_ms(g bigint) returns bigint immutable language sql as
$$ select {start_ms}::bigint + g * {span_ms}::bigint / {runs} $$;

create function pg_temp.at_time(ms bigint) returns timestamptz immutable language sql as
$$ select to_timestamp(ms / 1000.0) $$;

-- Member 0 is the run itself.
create function pg_temp.id_of(g bigint, member integer) returns uuid immutable language sql as
$$ select (lpad(to_hex({start_ms}::bigint + g * {span_ms}::bigint / {runs}), 12, '0')
           || '7' || lpad(to_hex(member), 3, '0') || '8' || lpad(to_hex(g), 15, '0'))::uuid $$;

create function pg_temp.dice(g bigint, sides integer) returns integer immutable language sql as
$$ select abs(hashint8(g) % sides) $$;

-- 2, 3, 4: how it ended. 0: nothing began, 1: it is under way, 5: it sleeps. Of the newest runs a
-- third waits or runs; of all DAG runs one in two hundred sleeps.
create function pg_temp.state_of(g bigint) returns integer immutable language sql as
$$ select case
       when g >= {runs} - {running} then 1
       when g >= {runs} - {newest} and hashint8(g) % 3 = 0
            then case when g % 20 = 7 and hashint8(g) % 2 = 0 then 1 else 0 end
       when g % 20 = 7 and hashint8(g) % 200 = 0 then 5
       when abs(hashint8(g) % 100) < 3 then 3
       when abs(hashint8(g) % 100) = 3 then 4
       else 2 end $$;

-- name: tasks
-- One run in twenty is a DAG run of four tasks; three in twenty are children; one in twenty was
-- caused by an event, which causes two. Now and then a task has 10,000 children.
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, metadata, parent_task_id, child_index, trigger)
select '{tenant}', pg_temp.id_of(g, m), pg_temp.id_of(g, 0),
       case when g % 20 <> 7 then 0 when m = 0 then 1 else 2 end,
       w.id, w.version_id, greatest(m - 1, 0), 1 + pg_temp.dice(g, 3),
       pg_temp.at_time(pg_temp.at_ms(g)),
       case when m = 0 then '{"order": ' || g || ', "items": ["apple", "pear"], "rush": false}'
            else '' end,
       case when g % 10 < 8
            then jsonb_build_object('customer', pg_temp.dice(g, 5000)::text,
                                    'region', pg_temp.dice(g + 1, 5)::text, 'request', g::text) end,
       case when m > 0 or g % 20 = 7 then null
            when g % 200000 between 1000 and 10999 then pg_temp.id_of(g - g % 200000, 0)
            when g % 20 between 8 and 10 then pg_temp.id_of(g - g % 20, 0) end,
       case when m > 0 or g % 20 = 7 then null
            when g % 200000 between 1000 and 10999 then g % 200000
            when g % 20 between 8 and 10 then g % 20 end,
       case when m = 0 and g % 20 = 5
            then jsonb_build_object('event_id', pg_temp.id_of(g - g % 40, 99)) end
from generate_series($1::bigint, $2::bigint) as g
cross join lateral generate_series(0, case when g % 20 = 7 then 4 else 0 end) as m
join unnest('{workflows}'::uuid[], '{versions}'::uuid[]) with ordinality as w (id, version_id, n)
  on w.n = case
       when g % 20 = 7 then case when pg_temp.dice(g, 10) = 0 then 2 else 1 end
       when g % 100000 = 17 then 3
       when pg_temp.dice(g, 100) < 50 then 4
       when pg_temp.dice(g, 100) < 75 then 5
       when pg_temp.dice(g, 100) < 90 then 6
       else 7 + pg_temp.dice(g, 14) end;

-- name: outcomes
insert into outcome (tenant_id, id, status, kind, attempt, finished_at, assigned_at, started_at,
                     worker_id, output, error, skipped)
select '{tenant}', pg_temp.id_of(g, m), s.status,
       case when g % 20 <> 7 then 0 when m = 0 then 1 else 2 end, 0, pg_temp.at_time(ms + 900 + m * 100),
       pg_temp.at_time(ms + 20), pg_temp.at_time(ms + 21), pg_temp.id_of(pg_temp.dice(g, 50), 4000),
       case when s.status = 2 then '{"done": true, "order": ' || g || '}' end,
       case when s.status = 3 then 'ValueError: order ' || g || ' has no address' end, false
from generate_series($1::bigint, $2::bigint) as g
cross join lateral (select pg_temp.at_ms(g), pg_temp.state_of(g) offset 0) as r (ms, state)
cross join lateral generate_series(0, case when g % 20 = 7 then 4 else 0 end) as m
cross join lateral (
    select case
        when m = 0 then case when r.state in (2, 3, 4) then r.state end
        when r.state in (1, 5) then case when m = 1 then 2 end
        when r.state = 0 then null
        when m = 1 or r.state = 2 then 2
        when m = 2 then r.state
        else 4 end) as s (status)
where s.status is not null;

-- name: queued
-- What waits: runs that have not begun, and second tasks of DAG runs that have.
insert into queue_item (queue_id, rank, task_id, tenant_id, version_id, step, attempt, app_retries,
                        internal_retries, queued_ms, schedule_timeout_ms, run_id)
select q.id, -t.priority, t.id, t.tenant_id, t.version_id, t.step, 0, 0, 0,
       (extract(epoch from t.created_at) * 1000)::bigint, {end_ms} + 86400000000,
       case when t.kind = 2 then t.run_id end
from generate_series({runs} - {newest}::bigint, {runs} - {running}::bigint - 1) as g
join task t on t.tenant_id = '{tenant}'
           and t.id = pg_temp.id_of(g, case when g % 20 = 7 then 1 + pg_temp.state_of(g) else 0 end)
join workflow_version v on v.id = t.version_id
join queue q on q.tenant_id = t.tenant_id
            and q.action = v.definition #>> array['tasks', t.step::text, 'action']
where pg_temp.state_of(g) in (0, 1);

-- name: running
insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt, worker_id,
                        app_retries, internal_retries, assigned_ms, deadline_ms, started_ms)
select t.id, t.tenant_id, 1, t.version_id, t.step, 0, pg_temp.id_of(pg_temp.dice(g, 50), 4000), 0, 0,
       {end_ms}, {end_ms} + 60000, {end_ms}
from generate_series({runs} - {running}::bigint, {runs}::bigint - 1) as g
join task t on t.tenant_id = '{tenant}'
           and t.id = pg_temp.id_of(g, case when g % 20 = 7 then 2 else 0 end);

-- name: sleeping
insert into task_wait (task_id, position, tenant_id, run_id, version_id, step, due_ms)
select t.id, 0, t.tenant_id, t.run_id, t.version_id, t.step, {end_ms} + 86400000
from generate_series($1::bigint, $2::bigint) as g
join task t on t.tenant_id = '{tenant}' and t.id = pg_temp.id_of(g, 2)
where g % 20 = 7 and pg_temp.state_of(g) = 5;

-- name: task_events
-- Two failed attempts of each task that failed.
insert into task_event (tenant_id, id, task_id, kind, attempt, worker_id, message)
select '{tenant}', pg_temp.id_of(g, 100 + n), pg_temp.id_of(g, case when g % 20 = 7 then 2 else 0 end),
       {retry}, n, null, 'ValueError: order ' || g || ' has no address'
from generate_series($1::bigint, $2::bigint) as g
cross join generate_series(0, 1) as n
where pg_temp.state_of(g) = 3;
