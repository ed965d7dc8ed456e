-- Tasks that a worker runs in one call: they share a slot, and the id of their batch.
alter table assignment add column batch_id uuid;
