-- name: task_event_insert_many
insert into task_event (tenant_id, id, task_id, kind, attempt, worker_id, message, data)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::integer[],
                     $6::uuid[], $7::text[], $8::jsonb[]);

-- name: task_event_exists
select exists (select 1 from task_event where task_id = $1 and id = $2);
