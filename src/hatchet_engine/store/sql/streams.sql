-- name: stream_task
-- The run of a task, and its latest attempt as far as rows tell. A DAG run is no task.
select t.run_id, coalesce(a.attempt, o.attempt, 0) as attempt
from task t
left join assignment a on a.task_id = t.id
left join outcome o on o.tenant_id = t.tenant_id and o.id = t.id
where t.tenant_id = $1 and t.id = $2 and t.kind <> 1;

-- name: stream_run_end
-- How a run ended; no row: it has not, or there is no such run.
select o.status, o.finished_at
from task t
join outcome o on o.tenant_id = t.tenant_id and o.id = t.id
where t.tenant_id = $1 and t.id = $2 and t.kind <> 2;

-- name: stream_page
-- Chunks after $3, at most $4 of them, and no more once $5 bytes are together.
select p.id, p.task_id, p.attempt, p.index, p.data
from (
    select c.*, sum(octet_length(c.data)) over (order by c.id) - octet_length(c.data) as before
    from (
        select id, task_id, attempt, index, data
        from stream_chunk
        where run_id = $2 and tenant_id = $1 and id > $3
        order by id
        limit $4
    ) c
) p
where p.before < $5
order by p.id;

-- name: stream_chunk_at
-- The id of the chunk that stands behind $4 others; $3: before the run's first chunk.
select id
from stream_chunk
where run_id = $2 and tenant_id = $1 and id > $3
order by id
offset $4
limit 1;

-- name: stream_ranges
-- Which indexes of an attempt are stored, as ranges without their ends; the highest $6 of them.
select min(index) as first, max(index) + 1 as after
from (
    select index, index - dense_rank() over (order by index) as range
    from stream_chunk
    where run_id = $2 and tenant_id = $1 and id > $3 and task_id = $4 and attempt = $5
      and index is not null
) c
group by range
order by first desc
limit $6;

-- name: stream_latest
-- The id of a run's last chunk; $3: before its first one.
select id
from stream_chunk
where run_id = $2 and tenant_id = $1 and id > $3
order by id desc
limit 1;

-- name: stream_existing
-- $3 and $4: smallest and largest id.
select c.id
from unnest($1::uuid[], $2::uuid[]) as k (run_id, id)
cross join lateral (
    select id from stream_chunk
    where run_id = k.run_id and id = k.id and id >= $3 and id <= $4
    offset 0
) as c;
