-- The first schema: installation, tenants, definitions, workers, history and the hot tables.
--
-- History (task, outcome, task_event, task_log) is append-only and range-partitioned by UUIDv7,
-- one partition a day: retention drops whole partitions. Hot tables (queue_item, delayed_item,
-- assignment) are narrow and hold only work that has not ended; a row leaves when its task ends.
-- Times in hot tables are epoch milliseconds (the engine computes with them); times in history
-- are timestamptz (people read them). No statement calls now(): the engine passes the time in.

create table setting (
    name       text primary key,
    value      jsonb not null
);

create table shard (
    id           smallint primary key,
    epoch        bigint not null default 0,      -- fencing: grows with each change of owner
    owner        uuid,                           -- node id
    owner_name   text,
    lease_until  timestamptz
);
insert into shard (id) values (0);

create table tenant (
    id          uuid primary key,
    slug        text not null unique,
    name        text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    deleted_at  timestamptz
);

create table api_token (
    id          uuid primary key,
    tenant_id   uuid not null references tenant (id),
    name        text not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    revoked_at  timestamptz
);
create index api_token_tenant on api_token (tenant_id, created_at);

create table workflow (
    id           uuid primary key,
    tenant_id    uuid not null references tenant (id),
    name         text not null,
    description  text not null default '',
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    deleted_at   timestamptz
);
create unique index workflow_name on workflow (tenant_id, name) where deleted_at is null;

create table workflow_version (
    id           uuid primary key,
    tenant_id    uuid not null,
    workflow_id  uuid not null references workflow (id),
    number       bigint not null,                -- 1, 2, 3 ... per workflow
    digest       bytea not null,                 -- over the normalised definition (REG-3, REG-4)
    definition   jsonb not null,                 -- domain/definition.py reads and writes it
    created_at   timestamptz not null,
    unique (workflow_id, number)
);

-- One queue per tenant and action.
create table queue (
    id         bigint generated always as identity primary key,
    tenant_id  uuid not null,
    action     text not null,                    -- lower case
    unique (tenant_id, action)
);

create table worker (
    id                 uuid primary key,
    tenant_id          uuid not null,
    name               text not null,
    actions            text[] not null,          -- in the worker's own spelling
    slots              jsonb not null,           -- {"default": 100}
    labels             jsonb not null default '{}',
    runtime            jsonb not null default '{}', -- sdk_version, language, language_version, os, extra
    protocol           text not null,            -- 'session' or 'grpc'
    created_at         timestamptz not null,
    last_heartbeat_at  timestamptz,              -- flushed now and then; the live value is in memory
    stream_opened_at   timestamptz,
    draining           boolean not null default false,  -- takes nothing new, as it says itself
    left_at            timestamptz               -- said goodbye, or found dead
);
create index worker_tenant on worker (tenant_id, created_at);
create index worker_present on worker (id) where left_at is null;

-- ------------------------------------------------------------------ history

-- One row per run and per task of a DAG. kind 0: a standalone run, which is its own task
-- (run_id = id); kind 1: a DAG run, whose work is its members; kind 2: a member of a DAG.
create table task (
    tenant_id       uuid not null,
    id              uuid not null,
    run_id          uuid not null,
    kind            smallint not null,
    workflow_id     uuid not null,
    version_id      uuid not null,
    step            smallint not null,           -- position in the version's task list
    priority        smallint not null,           -- 1..3
    created_at      timestamptz not null,
    input           text not null,               -- JSON object, as sent
    metadata        jsonb,                       -- null: none
    parent_task_id  uuid,                        -- the task that spawned this run
    child_index     integer,
    child_key       text,
    demand          jsonb,                       -- desired worker and labels of this run; null: none
    trigger         jsonb,                       -- what caused it, when not a plain call
    primary key (tenant_id, id)
) partition by range (id);
create index task_workflow on task (workflow_id, id) where kind <> 2;
create index task_dag on task (workflow_id, id) where kind = 1;
create index task_run on task (run_id) where kind = 2;
create index task_parent on task (parent_task_id, id) where parent_task_id is not null;
create index task_metadata on task using gin (metadata jsonb_path_ops) where metadata is not null;

-- How a task (or DAG run) ended: at most one row per task; replay removes it.
create table outcome (
    tenant_id    uuid not null,
    id           uuid not null,                  -- the task's
    status       smallint not null,              -- domain/states.py: COMPLETED, FAILED, CANCELLED
    kind         smallint not null,              -- the task's; lists and counts of runs need it
    attempt      integer not null,               -- retry count of the last attempt, 0 first
    finished_at  timestamptz not null,
    assigned_at  timestamptz,                    -- of the last attempt; null: never assigned
    started_at   timestamptz,
    worker_id    uuid,
    output       text,                           -- JSON as the worker sent it; null: none
    error        text,                           -- FAILED: error text; CANCELLED: the reason
    primary key (tenant_id, id)
) partition by range (id);
create index outcome_not_completed on outcome (tenant_id, status, id) include (kind)
    where status <> 2;

-- What happened to a task besides the ordinary created, assigned, started, finished, which are
-- columns of task, assignment and outcome. One row per fact; see domain/states.py for kinds.
create table task_event (
    tenant_id  uuid not null,
    id         uuid not null,                    -- UUIDv7 of the event
    task_id    uuid not null,
    kind       smallint not null,
    attempt    integer not null,
    worker_id  uuid,
    message    text,
    data       jsonb,
    primary key (task_id, id)
) partition by range (id);

create table task_log (
    tenant_id  uuid not null,
    id         uuid not null,                    -- UUIDv7 made on arrival
    task_id    uuid not null,
    attempt    integer not null,
    at         timestamptz not null,             -- the worker's clock
    level      text not null,                    -- DEBUG, INFO, WARN, ERROR
    message    text not null,
    metadata   jsonb,
    primary key (tenant_id, id)
) partition by range (id);
create index task_log_task on task_log (task_id, id);

-- ------------------------------------------------------------------ hot

-- Tasks waiting for a worker. Order inside a queue: rank ascending (rank = -priority; -4 is
-- kept for retries and replays), then task id (Q-1, Q-6).
create table queue_item (
    queue_id             bigint not null,
    rank                 smallint not null,
    task_id              uuid not null,
    tenant_id            uuid not null,
    version_id           uuid not null,
    step                 smallint not null,
    attempt              integer not null,
    app_retries          smallint not null,      -- used up by user failures
    internal_retries     smallint not null,      -- used up by lost workers and failed deliveries
    queued_ms            bigint not null,
    schedule_timeout_ms  bigint not null,
    demand               jsonb,
    primary key (queue_id, rank, task_id)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index queue_item_schedule_timeout on queue_item (schedule_timeout_ms);

-- Tasks in backoff: they enter the queue when due.
create table delayed_item (
    task_id           uuid primary key,
    due_ms            bigint not null,
    queue_id          bigint not null,
    tenant_id         uuid not null,
    version_id        uuid not null,
    step              smallint not null,
    attempt           integer not null,
    app_retries       smallint not null,
    internal_retries  smallint not null,
    demand            jsonb
);
create index delayed_item_due on delayed_item (due_ms);

-- Tasks on a worker. (task_id, attempt, worker_id) is the fence: a report for anything else is
-- refused.
create table assignment (
    task_id           uuid primary key,
    tenant_id         uuid not null,
    queue_id          bigint not null,
    version_id        uuid not null,
    step              smallint not null,
    attempt           integer not null,
    worker_id         uuid not null,
    app_retries       smallint not null,
    internal_retries  smallint not null,
    assigned_ms       bigint not null,
    deadline_ms       bigint not null,           -- execution timeout
    started_ms        bigint,                    -- the worker said it has begun
    released          boolean not null default false, -- slot given back, still running (SL-9)
    demand            jsonb
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
