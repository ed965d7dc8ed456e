-- Made by scripts/dump_schema.py from the migrations. Do not edit.

create table api_token (
    id uuid not null,
    tenant_id uuid not null,
    name text not null,
    created_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    revoked_at timestamp with time zone,
    constraint api_token_pkey PRIMARY KEY (id),
    constraint api_token_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
CREATE INDEX api_token_tenant ON public.api_token USING btree (tenant_id, created_at);

create table assignment (
    task_id uuid not null,
    tenant_id uuid not null,
    queue_id bigint not null,
    version_id uuid not null,
    step smallint not null,
    attempt integer not null,
    worker_id uuid not null,
    app_retries smallint not null,
    internal_retries smallint not null,
    assigned_ms bigint not null,
    deadline_ms bigint not null,
    started_ms bigint,
    released boolean not null default false,
    demand jsonb,
    batch_id uuid,
    constraint assignment_pkey PRIMARY KEY (task_id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02, fillfactor=80);

create table bulk_operation (
    id uuid not null,
    tenant_id uuid not null,
    kind text not null,
    filter jsonb not null,
    children boolean not null default false,
    reason text,
    cursor uuid,
    total integer not null,
    done integer not null default 0,
    changed integer not null default 0,
    created_at timestamp with time zone not null,
    finished_at timestamp with time zone,
    error text,
    constraint bulk_operation_pkey PRIMARY KEY (id)
);
CREATE INDEX bulk_operation_open ON public.bulk_operation USING btree (id) WHERE (finished_at IS NULL);
CREATE INDEX bulk_operation_tenant ON public.bulk_operation USING btree (tenant_id, id);

create table concurrency_limit (
    id bigint not null generated always as identity,
    tenant_id uuid not null,
    scope text not null,
    workflow_id uuid,
    task text,
    name text,
    expression text not null,
    constraint concurrency_limit_pkey PRIMARY KEY (id),
    constraint concurrency_limit_tenant_id_scope_key UNIQUE (tenant_id, scope)
);

create table concurrency_place (
    holder_id uuid not null,
    line text not null,
    rank smallint not null,
    max_runs integer not null,
    tenant_id uuid not null,
    taken_ms bigint not null,
    constraint concurrency_place_pkey PRIMARY KEY (holder_id, line)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02, fillfactor=90);

create table cron (
    id uuid not null,
    tenant_id uuid not null,
    workflow_id uuid not null,
    name text not null,
    expression text not null,
    zone text not null,
    catch_up text not null,
    catch_up_max integer not null,
    overlap text not null,
    jitter_ms integer not null,
    start_ms bigint,
    end_ms bigint,
    input text not null default '{}'::text,
    metadata jsonb,
    priority smallint,
    declarative boolean not null default false,
    enabled boolean not null default true,
    tick_ms bigint,
    next_fire_ms bigint,
    waiting boolean not null default false,
    last_tick_ms bigint,
    last_run_id uuid,
    error text,
    error_ms bigint,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    constraint cron_pkey PRIMARY KEY (id),
    constraint cron_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflow(id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02, fillfactor=80);
CREATE INDEX cron_due ON public.cron USING btree (next_fire_ms, id) WHERE (next_fire_ms IS NOT NULL);
CREATE UNIQUE INDEX cron_name ON public.cron USING btree (workflow_id, declarative, name, expression);
CREATE INDEX cron_tenant ON public.cron USING btree (tenant_id, id);
CREATE INDEX cron_waiting ON public.cron USING btree (id) WHERE waiting;

create table delayed_item (
    task_id uuid not null,
    due_ms bigint not null,
    queue_id bigint not null,
    tenant_id uuid not null,
    version_id uuid not null,
    step smallint not null,
    attempt integer not null,
    app_retries smallint not null,
    internal_retries smallint not null,
    demand jsonb,
    run_id uuid,
    constraint delayed_item_pkey PRIMARY KEY (task_id)
);
CREATE INDEX delayed_item_due ON public.delayed_item USING btree (due_ms);

create table event (
    tenant_id uuid not null,
    id uuid not null,
    key text not null,
    scope text,
    payload text not null,
    metadata jsonb,
    priority smallint,
    source text,
    constraint event_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);
CREATE INDEX event_key ON ONLY public.event USING btree (tenant_id, key, id);
CREATE INDEX event_metadata ON ONLY public.event USING gin (metadata jsonb_path_ops) WHERE (metadata IS NOT NULL);
CREATE INDEX event_scope ON ONLY public.event USING btree (tenant_id, scope, id) WHERE (scope IS NOT NULL);

create table event_filter (
    id uuid not null,
    tenant_id uuid not null,
    workflow_id uuid not null,
    scope text not null,
    expression text not null,
    payload text not null default '{}'::text,
    declarative boolean not null default false,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    constraint event_filter_pkey PRIMARY KEY (id),
    constraint event_filter_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflow(id)
);
CREATE INDEX event_filter_workflow ON public.event_filter USING btree (tenant_id, workflow_id, id);

create table expression_failure (
    tenant_id uuid not null,
    id uuid not null,
    source text not null,
    message text not null,
    constraint expression_failure_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);

create table idempotency_key (
    tenant_id uuid not null,
    workflow_id uuid not null,
    key text not null,
    run_id uuid not null,
    until_end boolean not null,
    expires_ms bigint not null,
    constraint idempotency_key_pkey PRIMARY KEY (workflow_id, key)
);
CREATE INDEX idempotency_key_expires ON public.idempotency_key USING btree (expires_ms);
CREATE INDEX idempotency_key_run ON public.idempotency_key USING btree (run_id) WHERE until_end;

create table outcome (
    tenant_id uuid not null,
    id uuid not null,
    status smallint not null,
    kind smallint not null,
    attempt integer not null,
    finished_at timestamp with time zone not null,
    assigned_at timestamp with time zone,
    started_at timestamp with time zone,
    worker_id uuid,
    output text,
    error text,
    skipped boolean not null default false,
    constraint outcome_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);
CREATE INDEX outcome_not_completed ON ONLY public.outcome USING btree (tenant_id, status, id) INCLUDE (kind) WHERE (status <> 2);

create table parked_item (
    line text not null,
    rank smallint not null,
    task_id uuid not null,
    tenant_id uuid not null,
    version_id uuid not null,
    step smallint not null,
    attempt integer not null,
    app_retries smallint not null,
    internal_retries smallint not null,
    queued_ms bigint not null,
    schedule_timeout_ms bigint not null,
    demand jsonb,
    run_id uuid,
    constraint parked_item_pkey PRIMARY KEY (line, rank, task_id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02, fillfactor=90);
CREATE INDEX parked_item_member ON public.parked_item USING btree (tenant_id, task_id) WHERE (run_id IS NOT NULL);
CREATE INDEX parked_item_schedule_timeout ON public.parked_item USING btree (schedule_timeout_ms);
CREATE INDEX parked_item_single ON public.parked_item USING btree (tenant_id, task_id) WHERE (run_id IS NULL);
CREATE INDEX parked_item_task ON public.parked_item USING btree (task_id);

create table pause (
    tenant_id uuid not null,
    kind smallint not null,
    target text not null,
    since_ms bigint not null,
    until_ms bigint,
    by text not null default ''::text,
    reason text not null default ''::text,
    queue_ttl_ms bigint,
    drop_crons boolean not null default false,
    drop_scheduled boolean not null default false,
    constraint pause_pkey PRIMARY KEY (tenant_id, kind, target)
);

create table queue (
    id bigint not null generated always as identity,
    tenant_id uuid not null,
    action text not null,
    constraint queue_pkey PRIMARY KEY (id),
    constraint queue_tenant_id_action_key UNIQUE (tenant_id, action)
);

create table queue_item (
    queue_id bigint not null,
    rank smallint not null,
    task_id uuid not null,
    tenant_id uuid not null,
    version_id uuid not null,
    step smallint not null,
    attempt integer not null,
    app_retries smallint not null,
    internal_retries smallint not null,
    queued_ms bigint not null,
    schedule_timeout_ms bigint not null,
    demand jsonb,
    run_id uuid,
    round bigint not null default 0,
    constraint queue_item_pkey PRIMARY KEY (queue_id, rank, task_id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02, fillfactor=90);
CREATE INDEX queue_item_round ON public.queue_item USING btree (queue_id, rank, round, task_id) WHERE (round <> 0);
CREATE INDEX queue_item_schedule_timeout ON public.queue_item USING btree (schedule_timeout_ms);

create table rate_limit (
    tenant_id uuid not null,
    key text not null,
    limit_value bigint,
    window_length text not null,
    remaining bigint not null,
    began_ms bigint not null,
    updated_at timestamp with time zone not null,
    constraint rate_limit_pkey PRIMARY KEY (tenant_id, key)
);

create table scheduled_run (
    id uuid not null,
    tenant_id uuid not null,
    workflow_id uuid not null,
    due_ms bigint not null,
    input text not null,
    metadata jsonb,
    priority smallint,
    declarative boolean not null,
    parent_run_id uuid,
    parent_task_id uuid,
    child_index integer,
    child_key text,
    fired_ms bigint,
    run_id uuid,
    error text,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    constraint scheduled_run_pkey PRIMARY KEY (id),
    constraint scheduled_run_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflow(id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02, fillfactor=80);
CREATE INDEX scheduled_run_due ON public.scheduled_run USING btree (due_ms, id) WHERE (fired_ms IS NULL);
CREATE INDEX scheduled_run_fired ON public.scheduled_run USING btree (fired_ms) WHERE (fired_ms IS NOT NULL);
CREATE INDEX scheduled_run_tenant ON public.scheduled_run USING btree (tenant_id, id);
CREATE INDEX scheduled_run_tenant_due ON public.scheduled_run USING btree (tenant_id, due_ms, id);
CREATE INDEX scheduled_run_workflow ON public.scheduled_run USING btree (workflow_id) WHERE (fired_ms IS NULL);

create table schema_version (
    number integer not null,
    name text not null,
    digest text,
    constraint schema_version_pkey PRIMARY KEY (number)
);

create table setting (
    name text not null,
    value jsonb not null,
    constraint setting_pkey PRIMARY KEY (name)
);

create table shard (
    id smallint not null,
    epoch bigint not null default 0,
    owner uuid,
    owner_name text,
    lease_until timestamp with time zone,
    constraint shard_pkey PRIMARY KEY (id)
);

create table stream_chunk (
    tenant_id uuid not null,
    id uuid not null,
    run_id uuid not null,
    task_id uuid not null,
    attempt integer not null,
    index bigint,
    data bytea not null,
    constraint stream_chunk_pkey PRIMARY KEY (run_id, id)
) partition by RANGE (id);

create table task (
    tenant_id uuid not null,
    id uuid not null,
    run_id uuid not null,
    kind smallint not null,
    workflow_id uuid not null,
    version_id uuid not null,
    step smallint not null,
    priority smallint not null,
    created_at timestamp with time zone not null,
    input text not null,
    metadata jsonb,
    parent_task_id uuid,
    child_index integer,
    child_key text,
    demand jsonb,
    trigger jsonb,
    idempotency_key text,
    origin bigint,
    constraint task_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);
CREATE INDEX task_child ON ONLY public.task USING btree (parent_task_id, COALESCE(child_key, (child_index)::text)) WHERE (parent_task_id IS NOT NULL);
CREATE INDEX task_dag ON ONLY public.task USING btree (workflow_id, id) WHERE (kind = 1);
CREATE INDEX task_idempotency_key ON ONLY public.task USING btree (tenant_id, idempotency_key, id) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX task_metadata ON ONLY public.task USING gin (metadata jsonb_path_ops) WHERE (metadata IS NOT NULL);
CREATE INDEX task_parent ON ONLY public.task USING btree (parent_task_id, id) WHERE (parent_task_id IS NOT NULL);
CREATE INDEX task_run ON ONLY public.task USING btree (run_id) WHERE (kind = 2);
CREATE INDEX task_trigger_event ON ONLY public.task USING btree (((trigger ->> 'event_id'::text)), id) WHERE (trigger IS NOT NULL);
CREATE INDEX task_workflow ON ONLY public.task USING btree (workflow_id, id) WHERE (kind <> 2);

create table task_event (
    tenant_id uuid not null,
    id uuid not null,
    task_id uuid not null,
    kind smallint not null,
    attempt integer not null,
    worker_id uuid,
    message text,
    data jsonb,
    constraint task_event_pkey PRIMARY KEY (task_id, id)
) partition by RANGE (id);

create table task_log (
    tenant_id uuid not null,
    id uuid not null,
    task_id uuid not null,
    attempt integer not null,
    at timestamp with time zone not null,
    level text not null,
    message text not null,
    metadata jsonb,
    constraint task_log_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);
CREATE INDEX task_log_task ON ONLY public.task_log USING btree (task_id, id);

create table task_wait (
    task_id uuid not null,
    position smallint not null,
    tenant_id uuid not null,
    run_id uuid not null,
    version_id uuid not null,
    step smallint not null,
    due_ms bigint,
    event_key text,
    event_scope text,
    met boolean not null default false,
    data text,
    constraint task_wait_pkey PRIMARY KEY (task_id, "position")
);
CREATE INDEX task_wait_due ON public.task_wait USING btree (due_ms) WHERE ((due_ms IS NOT NULL) AND (NOT met));
CREATE INDEX task_wait_event ON public.task_wait USING btree (tenant_id, event_key) WHERE ((event_key IS NOT NULL) AND (NOT met));

create table tenant (
    id uuid not null,
    slug text not null,
    name text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    deleted_at timestamp with time zone,
    constraint tenant_pkey PRIMARY KEY (id),
    constraint tenant_slug_key UNIQUE (slug)
);

create table worker (
    id uuid not null,
    tenant_id uuid not null,
    name text not null,
    actions text[] not null,
    slots jsonb not null,
    labels jsonb not null default '{}'::jsonb,
    runtime jsonb not null default '{}'::jsonb,
    protocol text not null,
    created_at timestamp with time zone not null,
    last_heartbeat_at timestamp with time zone,
    stream_opened_at timestamp with time zone,
    draining boolean not null default false,
    left_at timestamp with time zone,
    constraint worker_pkey PRIMARY KEY (id)
);
CREATE INDEX worker_present ON public.worker USING btree (id) WHERE (left_at IS NULL);
CREATE INDEX worker_tenant ON public.worker USING btree (tenant_id, created_at);

create table workflow (
    id uuid not null,
    tenant_id uuid not null,
    name text not null,
    description text not null default ''::text,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    deleted_at timestamp with time zone,
    constraint workflow_pkey PRIMARY KEY (id),
    constraint workflow_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id)
);
CREATE UNIQUE INDEX workflow_name ON public.workflow USING btree (tenant_id, name) WHERE (deleted_at IS NULL);

create table workflow_version (
    id uuid not null,
    tenant_id uuid not null,
    workflow_id uuid not null,
    number bigint not null,
    digest bytea not null,
    definition jsonb not null,
    created_at timestamp with time zone not null,
    constraint workflow_version_pkey PRIMARY KEY (id),
    constraint workflow_version_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflow(id),
    constraint workflow_version_workflow_id_number_key UNIQUE (workflow_id, number)
);
