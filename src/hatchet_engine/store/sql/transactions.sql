-- Whether a transaction whose COMMIT got no answer was stored.

-- name: transaction_id
select pg_current_xact_id()::text;

-- name: transaction_committed
-- One that is yet to come, here, was lost in a fail-over to another server.
select case
    when $1::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) then false
    else coalesce(pg_xact_status($1::text::xid8) = 'committed', false)
end;
