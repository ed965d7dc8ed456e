-- Concurrency, rate limits and pauses.

-- The order of a queue: rank, then round (the turn of the task's concurrency key among the keys of
-- the queue; 0 without one), then task id.
alter table queue_item add column round bigint not null default 0;
create index queue_item_round on queue_item (queue_id, rank, round, task_id) where round <> 0;

-- A concurrency rule: it keeps its id through new versions, so that a deploy does not double it.
create table concurrency_limit (
    id           bigint generated always as identity primary key,
    tenant_id    uuid not null,
    scope        text not null,                  -- whose rule it is, see domain/scopes.py
    workflow_id  uuid,                           -- null: shared by workflows of the tenant
    task         text,                           -- null: of the whole run
    name         text,                           -- of a shared one
    expression   text not null,
    unique (tenant_id, scope)
);

-- Who holds a place under a key: a task, or a run for a rule of its workflow.
create table concurrency_place (
    holder_id  uuid not null,
    line       text not null,                    -- the limit and the key
    rank       smallint not null,
    max_runs   integer not null,
    tenant_id  uuid not null,
    taken_ms   bigint not null,
    primary key (holder_id, line)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Tasks that wait in a line for something other than a worker. The name of the line tells what it
-- is: a place, units of a rate limit, the end of a pause.
create table parked_item (
    line                 text not null,
    rank                 smallint not null,
    task_id              uuid not null,
    tenant_id            uuid not null,
    version_id           uuid not null,
    step                 smallint not null,      -- -1: a whole run that waits to begin
    attempt              integer not null,
    app_retries          smallint not null,
    internal_retries     smallint not null,
    queued_ms            bigint not null,
    schedule_timeout_ms  bigint not null,
    demand               jsonb,
    run_id               uuid,
    primary key (line, rank, task_id)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index parked_item_task on parked_item (task_id);
-- For lists, newest first. A row stands in one of them.
create index parked_item_single on parked_item (tenant_id, task_id) where run_id is null;
create index parked_item_member on parked_item (tenant_id, task_id) where run_id is not null;
create index parked_item_schedule_timeout on parked_item (schedule_timeout_ms);

create table rate_limit (
    tenant_id        uuid not null,
    key              text not null,
    limit_value      bigint,                     -- null: asked for, but never put
    window_length    text not null,              -- SECOND ... YEAR
    remaining        bigint not null,
    began_ms         bigint not null,            -- of the present window
    updated_at       timestamptz not null,
    primary key (tenant_id, key)
);

create table pause (
    tenant_id       uuid not null,
    kind            smallint not null,           -- turn/commands.PauseKind
    target          text not null,
    since_ms        bigint not null,
    until_ms        bigint,
    by              text not null default '',
    reason          text not null default '',
    queue_ttl_ms    bigint,
    drop_crons      boolean not null default false,
    drop_scheduled  boolean not null default false,
    primary key (tenant_id, kind, target)
);
