-- name: shard_try_lock
select pg_try_advisory_lock($1, $2);

-- name: shard_lease
select epoch, owner, owner_name, lease_until from shard where id = $1;

-- name: shard_take
update shard set epoch = epoch + 1, owner = $2, owner_name = $3, lease_until = $4 where id = $1
returning epoch;

-- name: shard_renew
update shard set lease_until = clock_timestamp() + $3 where id = $1 and epoch = $2
returning clock_timestamp();

-- name: shard_give_back
update shard set lease_until = null where id = $1 and epoch = $2;

-- name: shard_evict
-- Ends the connections that still hold the lock of an expired lease: whatever their owner is
-- doing, it can't commit any more.
select pg_terminate_backend(pid, 2000)  -- waits for its end, at most so many milliseconds
from pg_locks
where locktype = 'advisory' and granted and pid <> pg_backend_pid()
  and classid = $1::integer::oid and objid = $2::integer::oid
  and database = (select oid from pg_database where datname = current_database());

-- name: clock
select clock_timestamp();
