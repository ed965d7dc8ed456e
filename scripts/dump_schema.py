"""Writes the schema that the migrations make, as text, to src/hatchet_engine/store/schema.sql.

    python scripts/dump_schema.py           # write it
    python scripts/dump_schema.py --check   # fail when the file says something else

The text is made from the catalogs in a fixed order, so it changes exactly when the schema does.
It is for people and for reviews: the migrations are what is executed.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

FILE = Path(__file__).parent.parent / "src/hatchet_engine/store/schema.sql"
HEADER = "-- Made by scripts/dump_schema.py from the migrations. Do not edit.\n"

# Partitions are left out: they come and go with time.
_TABLES = """
select c.oid, c.relname as name, pg_get_partkeydef(c.oid) as partition_key,
       (select string_agg(option, ', ' order by option) from unnest(c.reloptions) as option)
           as options
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and not c.relispartition
order by c.relname
"""
_COLUMNS = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
       a.attidentity::text as identity, pg_get_expr(d.adbin, d.adrelid) as default_value
from pg_attribute a
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_CONSTRAINTS = """
select conname as name, pg_get_constraintdef(oid) as definition
from pg_constraint where conrelid = $1 and contype <> 'n' order by conname
"""
_INDEXES = """
select pg_get_indexdef(i.indexrelid) as definition
from pg_index i
join pg_class c on c.oid = i.indexrelid
where i.indrelid = $1
  and not exists (select 1 from pg_constraint where conindid = i.indexrelid)
order by c.relname
"""


async def dump(connection: asyncpg.Connection) -> str:
    """The schema of this database as text."""
    parts = [HEADER]
    for table in await connection.fetch(_TABLES):
        parts.append(await _table(connection, table))
    return "\n".join(parts)


async def _table(connection: asyncpg.Connection, table: asyncpg.Record) -> str:
    lines = [_column(row) for row in await connection.fetch(_COLUMNS, table["oid"])]
    for row in await connection.fetch(_CONSTRAINTS, table["oid"]):
        lines.append(f"constraint {row['name']} {row['definition']}")
    text = f"create table {table['name']} (\n    " + ",\n    ".join(lines) + "\n)"
    if table["partition_key"]:
        text += f" partition by {table['partition_key']}"
    if table["options"]:
        text += f" with ({table['options']})"
    indexes = [f"{row['definition']};\n" for row in await connection.fetch(_INDEXES, table["oid"])]
    return text + ";\n" + "".join(indexes)


def _column(row: asyncpg.Record) -> str:
    text = f"{row['name']} {row['type']}"
    if row["required"]:
        text += " not null"
    if row["identity"]:
        text += " generated always as identity"
    if row["default_value"]:
        text += f" default {row['default_value']}"
    return text


async def dump_fresh() -> str:
    """The schema that the migrations make in an empty database of an own, short-lived server."""
    from hatchet_engine.app.embedded import EmbeddedPostgres
    from hatchet_engine.store.migrate import migrate

    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)  # as root, Postgres runs as another user
        postgres = EmbeddedPostgres(Path(folder) / "data", durable=False)
        dsn = await postgres.start(supervise=False)
        try:
            await migrate(dsn)
            connection = await asyncpg.connect(dsn)
            try:
                return await dump(connection)
            finally:
                await connection.close()
        finally:
            await postgres.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--check", action="store_true", help="compare with the file only")
    check = parser.parse_args().check
    text = asyncio.run(dump_fresh())
    if not check:
        FILE.write_text(text, "utf-8")
        return 0
    committed = FILE.read_text("utf-8")
    if committed == text:
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(
            committed.splitlines(keepends=True),
            text.splitlines(keepends=True),
            "schema.sql",
            "migrations",
        )
    )
    print("schema.sql is out of date: run scripts/dump_schema.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
