"""Brings a database to the newest schema: forward only, one transaction per migration.

Several nodes may start at once: an advisory lock makes one of them migrate while the others wait,
and the version table is looked at again under the lock. A database that is newer than this
program is refused, and so is one whose migrations have been edited since: that happens between
releases only, and nothing knows what would be missing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from hatchet_engine.domain.errors import Code, Refused

LOCK_KEY = 0x68617463  # any fixed number; "hatc"
_FILE = re.compile(r"^(\d{4})_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """Of what it does: comments and the layout may change."""
        lines = (line.split("--")[0] for line in self.text.splitlines())
        words = " ".join(" ".join(lines).split())
        return hashlib.sha256(words.encode()).hexdigest()[:16]


def migrations() -> list[Migration]:
    """All migrations of this program, oldest first."""
    found = []
    for entry in files("hatchet_engine.store").joinpath("migrations").iterdir():
        match = _FILE.match(entry.name)
        if match:
            found.append(Migration(int(match[1]), match[2], entry.read_text("utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migration numbers must be 0001, 0002, ... without gaps")
    return found


async def migrate(dsn: str) -> None:
    """Apply what is missing; does nothing on a current database.

    Raises ``Refused(FAILED_PRECONDITION)`` when the database was migrated by a newer program, or by
    other migrations than those of this one.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", LOCK_KEY)
        try:
            await _migrate(connection)
        finally:
            await connection.execute("select pg_advisory_unlock($1)", LOCK_KEY)
    finally:
        await connection.close()


async def _migrate(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "create table if not exists schema_version "
        "(number integer primary key, name text not null);"
        "alter table schema_version add column if not exists digest text"
    )
    known = migrations()
    rows = await connection.fetch("select number, digest from schema_version order by number")
    done: int = rows[-1]["number"] if rows else 0
    if done > len(known):
        raise Refused(
            Code.FAILED_PRECONDITION,
            f"the database has schema version {done}, this program knows {len(known)}: "
            "start a newer release of hatchet on it",
        )
    for row, migration in zip(rows, known, strict=False):
        if row["digest"] != migration.digest:
            raise Refused(
                Code.FAILED_PRECONDITION,
                f"the database was made by another build of hatchet: migration {migration.number} "
                f"({migration.name}) is not the one that this program has. Start the build that "
                "made it, or begin with an empty database or data directory",
            )
    for migration in known[done:]:
        async with connection.transaction():
            await connection.execute(migration.text)
            await connection.execute(
                "insert into schema_version (number, name, digest) values ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.digest,
            )
