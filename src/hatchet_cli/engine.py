"""The one place where the command line touches the engine's database: tokens.

All functions take the database of a running server, or start the embedded Postgres for a moment.
"""

from __future__ import annotations
