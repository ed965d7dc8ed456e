-- Workflows of several tasks, conditions, children, events, streams and work in bulk.

-- A skipped task counts as completed; what tells it apart is this, not the shape of its output.
alter table outcome add column skipped boolean not null default false;

-- The run that a waiting task belongs to; null: the task is its own run.
alter table queue_item add column run_id uuid;
alter table delayed_item add column run_id uuid;

-- Two children of one task never have one key (CH-2): the given key, else the index.
create index task_child on task (parent_task_id, coalesce(child_key, child_index::text))
    where parent_task_id is not null;
-- Runs that an event has caused.
create index task_trigger_event on task ((trigger ->> 'event_id'), id) where trigger is not null;

-- A condition that a task waits for: a time or an event. What it is about (its expression, its
-- data key) stands in the definition, at `position` among the conditions of the task.
create table task_wait (
    task_id       uuid not null,
    position      smallint not null,
    tenant_id     uuid not null,
    run_id        uuid not null,
    version_id    uuid not null,
    step          smallint not null,
    due_ms        bigint,                        -- a sleep
    event_key     text,                          -- an event
    event_scope   text,
    met           boolean not null default false,
    data          text,                          -- JSON that it brought when it was met
    primary key (task_id, position)
);
create index task_wait_due on task_wait (due_ms) where due_ms is not null and not met;
create index task_wait_event on task_wait (tenant_id, event_key)
    where event_key is not null and not met;

-- What was pushed. Kept as history: its id carries the time it was seen at.
create table event (
    tenant_id  uuid not null,
    id         uuid not null,
    key        text not null,
    scope      text,
    payload    text not null,                    -- JSON object, byte for byte as sent
    metadata   jsonb,
    priority   smallint,
    source     text,                             -- name of the webhook it came by
    primary key (tenant_id, id)
) partition by range (id);
create index event_key on event (tenant_id, key, id);
create index event_scope on event (tenant_id, scope, id) where scope is not null;
create index event_metadata on event using gin (metadata jsonb_path_ops)
    where metadata is not null;

create table event_filter (
    id           uuid primary key,
    tenant_id    uuid not null,
    workflow_id  uuid not null references workflow (id),
    scope        text not null,
    expression   text not null,
    payload      text not null default '{}',     -- JSON object
    declarative  boolean not null default false, -- comes with the workflow's definition
    created_at   timestamptz not null,
    updated_at   timestamptz not null
);
create index event_filter_workflow on event_filter (tenant_id, workflow_id, id);

-- An expression that failed where nobody waits for an answer (C-12).
create table expression_failure (
    tenant_id  uuid not null,
    id         uuid not null,
    source     text not null,                    -- FILTER, WEBHOOK, IDEMPOTENCY
    message    text not null,
    primary key (tenant_id, id)
) partition by range (id);

-- Pieces of a task's stream, in the order in which the engine got them.
create table stream_chunk (
    tenant_id  uuid not null,
    id         uuid not null,
    run_id     uuid not null,
    task_id    uuid not null,
    attempt    integer not null,
    index      bigint,                           -- the producer's count; null: it gave none
    data       bytea not null,
    primary key (run_id, id)
) partition by range (id);

-- Cancelling or replaying many runs: done in steps, each of which moves the cursor.
create table bulk_operation (
    id           uuid primary key,
    tenant_id    uuid not null,
    kind         text not null,                  -- CANCEL, REPLAY
    filter       jsonb not null,
    children     boolean not null default false, -- what the runs have spawned is cancelled too
    reason       text,
    cursor       uuid,                           -- the last run looked at
    total        integer not null,               -- runs selected when it began
    done         integer not null default 0,     -- runs looked at
    changed      integer not null default 0,     -- tasks cancelled or queued again
    created_at   timestamptz not null,
    finished_at  timestamptz,
    error        text                            -- why it was given up
);
create index bulk_operation_open on bulk_operation (id) where finished_at is null;
create index bulk_operation_tenant on bulk_operation (tenant_id, id);
