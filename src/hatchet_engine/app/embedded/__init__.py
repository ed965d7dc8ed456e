"""Postgres that starts by itself: one private cluster inside the data directory.

Layout of a data directory:

    server.lock    who uses the directory (held with flock while in use)
    postgres/      the cluster
    config/        settings written at every start; your own go to config/local.conf
    run/           the Unix socket; there is no TCP port
    postgres.log   what Postgres says before its own log files in postgres/log/ begin

Example::

    postgres = EmbeddedPostgres(data_dir)
    dsn = await postgres.start()
    ...
    await postgres.stop()
"""

from hatchet_engine.app.embedded.errors import (
    DataDirBusyError,
    EmbeddedPostgresError,
    NotRunningError,
)
from hatchet_engine.app.embedded.lock import DataDirLock
from hatchet_engine.app.embedded.server import EmbeddedPostgres, attach, borrow

__all__ = [
    "DataDirBusyError",
    "DataDirLock",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "NotRunningError",
    "attach",
    "borrow",
]
