"""Under which user Postgres runs, and whether that user can reach its files.

Postgres refuses to run as root. When we are root it runs as the owner of an existing cluster, else
as `hatchet` if that user exists, else as `nobody`. Nobody's directories are opened up for it: where
that user cannot pass (a checkout under /root, say), the child keeps the one capability that lets it
look up and read files, and nothing else of root's power.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from hatchet_engine.app.embedded.errors import EmbeddedPostgresError

CANDIDATE_USERS = ("hatchet", "nobody")
ANYONE_MAY_PASS = stat.S_IXOTH


@dataclass(frozen=True, slots=True)
class Identity:
    """A user to run Postgres as; `uid` None means: as ourselves."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        """Hand `path` to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose_identity(cluster_dir: Path) -> Identity:
    """Who runs the cluster in `cluster_dir` (which need not exist yet)."""
    if os.geteuid() != 0:
        return Identity()
    if cluster_dir.exists():
        owner = cluster_dir.stat()
        if owner.st_uid != 0:
            return Identity(owner.st_uid, owner.st_gid)
    for name in CANDIDATE_USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if user.pw_uid != 0:
            return Identity(user.pw_uid, user.pw_gid)
    raise EmbeddedPostgresError(
        "Postgres does not run as root, and there is no user `hatchet` or `nobody` to run it as. "
        "Create one (useradd --system hatchet), start the server as an ordinary user, "
        "or use your own Postgres with --database-url (HATCHET_DATABASE_URL)."
    )


def can_reach(identity: Identity, path: Path) -> bool:
    """Whether the user may pass through every directory down to `path`."""
    if identity.uid is None:
        return True
    for directory in (path, *path.parents):
        info = directory.stat()
        if info.st_uid == identity.uid:
            allowed = bool(info.st_mode & stat.S_IXUSR)
        elif info.st_gid == identity.gid:
            allowed = bool(info.st_mode & stat.S_IXGRP)
        else:
            allowed = bool(info.st_mode & ANYONE_MAY_PASS)
        if not allowed:
            return False
    return True
