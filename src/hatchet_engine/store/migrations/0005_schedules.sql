-- Crons and scheduled runs. Both only create runs when their time has come.

create table cron (
    id            uuid primary key,
    tenant_id     uuid not null,
    workflow_id   uuid not null references workflow (id),
    name          text not null,                 -- '' for those that come with a definition
    expression    text not null,                 -- as given, with its options
    zone          text not null,                 -- IANA name
    catch_up      text not null,                 -- domain/calendar/policies.py
    catch_up_max  integer not null,
    overlap       text not null,
    jitter_ms     integer not null,
    start_ms      bigint,
    end_ms        bigint,
    input         text not null default '{}',    -- JSON object
    metadata      jsonb,
    priority      smallint,                      -- null: the workflow's default
    declarative   boolean not null default false, -- comes with the workflow's definition
    enabled       boolean not null default true,
    tick_ms       bigint,                        -- the next tick; null: none is left
    next_fire_ms  bigint,                        -- when to look at it; null: disabled, over, waiting
    waiting       boolean not null default false, -- its tick was due before the last run had ended
    last_tick_ms  bigint,
    last_run_id   uuid,
    error         text,                          -- why the last tick made no run; null: it did
    error_ms      bigint,
    created_at    timestamptz not null,
    updated_at    timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create unique index cron_name on cron (workflow_id, declarative, name, expression);
create index cron_tenant on cron (tenant_id, id);
create index cron_due on cron (next_fire_ms, id) where next_fire_ms is not null;
create index cron_waiting on cron (id) where waiting;

-- A row stays when it has fired, so that lists show what became of it, until the retention is over.
create table scheduled_run (
    id              uuid primary key,
    tenant_id       uuid not null,
    workflow_id     uuid not null references workflow (id),
    due_ms          bigint not null,
    input           text not null,               -- JSON object
    metadata        jsonb,
    priority        smallint,                    -- null: the workflow's default
    declarative     boolean not null,            -- made by a program over gRPC, not over REST
    parent_run_id   uuid,                        -- who asked for it; kept to be searched for
    parent_task_id  uuid,
    child_index     integer,
    child_key       text,
    fired_ms        bigint,                      -- null: still to come
    run_id          uuid,                        -- null: still to come, or it failed
    error           text,                        -- why it made no run
    created_at      timestamptz not null,
    updated_at      timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index scheduled_run_due on scheduled_run (due_ms, id) where fired_ms is null;
create index scheduled_run_tenant_due on scheduled_run (tenant_id, due_ms, id);
create index scheduled_run_tenant on scheduled_run (tenant_id, id);
create index scheduled_run_fired on scheduled_run (fired_ms) where fired_ms is not null;
create index scheduled_run_workflow on scheduled_run (workflow_id) where fired_ms is null;
