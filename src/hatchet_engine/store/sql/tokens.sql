-- name: token_insert
insert into api_token (id, tenant_id, name, created_at, expires_at) values ($1, $2, $3, $4, $5);

-- name: token_list
select id, name, created_at, expires_at, revoked_at
from api_token where tenant_id = $1 order by created_at desc, id desc;

-- name: token_revoke
update api_token set revoked_at = coalesce(revoked_at, $3) where tenant_id = $1 and id = $2
returning id;

-- name: token_state
-- What decides whether a token is good: its own row and its tenant's.
select k.tenant_id, k.expires_at, k.revoked_at, t.deleted_at as tenant_deleted_at
from api_token k join tenant t on t.id = k.tenant_id
where k.id = $1;
