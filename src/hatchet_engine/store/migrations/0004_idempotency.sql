-- Idempotency keys: at most one run for a key of a workflow, for a time or until the run ends.

-- The key that a run was created under, for reading; it stays when the claim is gone.
alter table task add column idempotency_key text;
create index task_idempotency_key on task (tenant_id, idempotency_key, id)
    where idempotency_key is not null;

-- Marks the runs of a call that may be sent again when its answer is lost. Not indexed: it is looked
-- for rarely, and then among the newest runs only.
alter table task add column origin bigint;

-- A key that is taken. A row that has expired means nothing; it is replaced or swept.
create table idempotency_key (
    tenant_id    uuid not null,
    workflow_id  uuid not null,
    key          text not null,
    run_id       uuid not null,                  -- the run that holds it
    until_end    boolean not null,               -- free when that run has ended (STATUS)
    expires_ms   bigint not null,                -- free from then on, whatever the run does
    primary key (workflow_id, key)
);
create index idempotency_key_run on idempotency_key (run_id) where until_end;
create index idempotency_key_expires on idempotency_key (expires_ms);
