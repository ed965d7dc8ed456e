-- name: tenant_insert_default
insert into tenant (id, slug, name, created_at, updated_at) values ($1, $2, $3, $4, $4)
on conflict do nothing;

-- name: tenant_find
select id from tenant
where deleted_at is null and (id = $1 or slug = $2);

-- name: setting_get
select value::text from setting where name = $1;

-- name: setting_insert
insert into setting (name, value) values ($1, $2::jsonb) on conflict (name) do nothing;
