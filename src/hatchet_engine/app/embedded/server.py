"""Start, watch and stop the embedded Postgres.

    stopped ──start──► running ──stop──► stopped
                        │   ▲
         Postgres dies  └───┘  started again, with growing pauses

Postgres must not outlive us: on Linux the kernel asks it to stop when our process dies (child.py).
A Postgres that is left over all the same, or is still on its way down, is stopped before the next
start, so there is one path: whoever holds the lock starts its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import structlog

from hatchet_engine.app.embedded import child
from hatchet_engine.app.embedded.cluster import (
    DATABASE,
    ROLE,
    Programs,
    find_programs,
    initdb_arguments,
    read_postmaster,
    write_configuration,
)
from hatchet_engine.app.embedded.errors import EmbeddedPostgresError, NotRunningError
from hatchet_engine.app.embedded.identity import Identity, can_reach, choose_identity
from hatchet_engine.app.embedded.leftover import STOP_STEPS, is_postgres, stop_leftover
from hatchet_engine.app.embedded.lock import LOCK_FILE_NAME, DataDirLock, Purpose, read_holder

# Recovery after a crash may have gigabytes of log to read.
START_TIMEOUT_S = 120.0
INIT_TIMEOUT_S = 60.0
COMMAND_WAIT_S = 15.0
CHECK_INTERVAL_S = 0.02
RESTART_PAUSE_S_MIN = 0.1
RESTART_PAUSE_S_MAX = 5.0
# A Postgres that ran this long was healthy: the next pause is short again.
RESTART_PAUSE_RESET_S = 60.0
# The limit of the kernel is 107 bytes on Linux and 103 on macOS, for "DIR/.s.PGSQL.5432".
SOCKET_DIR_BYTES_MAX = 103 - len("/.s.PGSQL.5432")
LOG_TAIL_LINES = 15

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """A private Postgres in `data_dir` that lives as long as this process, at most.

    `purpose` is told to others that want the directory; `durable` False switches fsync off and is
    for tests only. Raises `EmbeddedPostgresError` (or its subclass `DataDirBusyError`) with a text
    that names the remedy. Not for use from several tasks at once.
    """

    def __init__(
        self, data_dir: Path | str, *, purpose: Purpose = "server", durable: bool = True
    ) -> None:
        self.data_dir = _absolute(data_dir)
        self._cluster_dir = self.data_dir / "postgres"
        self._durable = durable
        self._lock = DataDirLock(self.data_dir, purpose=purpose)
        self._process: subprocess.Popen[bytes] | None = None
        self._waiter: threading.Thread | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._exited = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id of Postgres; None when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self, *, supervise: bool = True) -> str:
        """Make the cluster if needed, start Postgres, and return the DSN of its database.

        With `supervise`, a Postgres that dies is started again while this event loop runs.
        """
        self._make_data_dir()
        await self._lock.acquire(wait_s=COMMAND_WAIT_S)
        try:
            dsn = await self._start_locked()
        except BaseException:
            await self._stop_process()
            self._lock.release()
            raise
        if supervise:
            self._supervisor = asyncio.create_task(self._supervise(), name="embedded-postgres")
        return dsn

    async def stop(self) -> None:
        """Stop Postgres cleanly (a final checkpoint is written) and free the directory."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        await self._stop_process()
        self._lock.release()

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start_locked(self) -> str:
        programs = find_programs(self._cluster_dir)
        identity = choose_identity(self._cluster_dir)
        socket_dir = self._socket_dir()
        await stop_leftover(self._cluster_dir, socket_dir)
        if not (self._cluster_dir / "PG_VERSION").exists():
            await self._make_cluster(programs, identity)
        self._make_socket_dir(socket_dir, identity)
        flags = write_configuration(
            programs,
            self._cluster_dir,
            self.data_dir / "config",
            socket_dir=socket_dir,
            durable=self._durable,
        )
        command = [str(programs.postgres), "-D", str(self._cluster_dir), *flags]
        self._launch(self._as_user(command, programs, identity, tied=True))
        await self._wait_until_ready()
        await self._while_it_lives(_ensure_database(_dsn(socket_dir, DATABASE)))
        return _dsn(socket_dir, DATABASE)

    # --- files ------------------------------------------------------------------------------

    def _make_data_dir(self) -> None:
        # As root, the Postgres user must be able to pass through.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.data_dir.mkdir(mode=mode, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot make the data directory {self.data_dir}: {error.strerror}. "
                "Choose another with --data-dir (HATCHET_DATA_DIR)."
            ) from error
        if not os.access(self.data_dir, os.W_OK | os.X_OK):
            raise EmbeddedPostgresError(
                f"cannot write to the data directory {self.data_dir}. "
                "Choose another with --data-dir (HATCHET_DATA_DIR)."
            )

    async def _make_cluster(self, programs: Programs, identity: Identity) -> None:
        # Made beside its place and then renamed: a crash in between leaves no half cluster.
        new_dir = self.data_dir / "postgres.new"
        await asyncio.to_thread(_remove_tree, new_dir)
        new_dir.mkdir(mode=0o700)
        identity.own(new_dir)
        arguments = initdb_arguments(programs, new_dir, durable=self._durable)
        command = self._as_user(arguments, programs, identity, tied=False)
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), INIT_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            raise EmbeddedPostgresError(
                f"making the cluster in {self.data_dir} took longer than {INIT_TIMEOUT_S:g} s"
            ) from None
        if process.returncode != 0:
            raise self._failure(
                f"cannot make the cluster in {self.data_dir}", process.returncode, output.decode()
            )
        new_dir.rename(self._cluster_dir)

    def _socket_dir(self) -> Path:
        socket_dir = self.data_dir / "run"
        if len(os.fsencode(socket_dir)) > SOCKET_DIR_BYTES_MAX:
            # The path is too long for a socket: use a short one made from it.
            digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
            return Path(tempfile.gettempdir()) / f"hatchet-{os.geteuid()}-{digest}"
        return socket_dir

    def _make_socket_dir(self, socket_dir: Path, identity: Identity) -> None:
        with contextlib.suppress(FileExistsError):
            socket_dir.mkdir(mode=0o700)
            identity.own(socket_dir)
        owner = socket_dir.lstat()
        expected = os.geteuid() if identity.uid is None else identity.uid
        if owner.st_uid != expected or socket_dir.is_symlink():
            raise EmbeddedPostgresError(
                f"the socket directory {socket_dir} belongs to user {owner.st_uid} instead of "
                f"{expected}. Remove it and start again."
            )

    # --- process ----------------------------------------------------------------------------

    def _as_user(
        self, command: list[str], programs: Programs, identity: Identity, *, tied: bool
    ) -> list[str]:
        """`command` run through child.py under the right user, tied to our life or not."""
        wrapper = [sys.executable, "-I", "-S", child.__file__]
        if identity.uid is not None:
            wrapper += [f"--uid={identity.uid}", f"--gid={identity.gid}"]
            places = (programs.bin_dir, self.data_dir)
            if not all(can_reach(identity, place) for place in places):
                wrapper.append("--keep-read-access")
        if tied:
            wrapper.append(f"--die-with={os.getpid()}")
        return [*wrapper, "--", *command]

    def _launch(self, command: list[str]) -> None:
        self._exited = exited = asyncio.Event()
        with (self.data_dir / "postgres.log").open("wb") as log_file:
            # Its own session: Ctrl-C in the terminal is for us; we then stop Postgres in order.
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
        loop = asyncio.get_running_loop()

        def wait_for_exit() -> None:
            process.wait()
            with contextlib.suppress(RuntimeError):  # the loop may be closed by then
                loop.call_soon_threadsafe(exited.set)

        self._waiter = threading.Thread(
            target=wait_for_exit, name="embedded-postgres-wait", daemon=True
        )
        self._waiter.start()

    async def _wait_until_ready(self) -> None:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if (code := process.poll()) is not None:
                raise self._failure(f"Postgres in {self.data_dir} did not start", code, "")
            postmaster = read_postmaster(self._cluster_dir)
            if postmaster and postmaster.pid == process.pid and postmaster.ready:
                return
            if time.monotonic() > deadline:
                raise self._failure(
                    f"Postgres in {self.data_dir} was not ready within {START_TIMEOUT_S:g} s",
                    None,
                    "",
                )
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def _while_it_lives(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something with Postgres; if it dies meanwhile, a connection may never tell."""
        doing, dying = asyncio.create_task(work), asyncio.create_task(self._exited.wait())
        try:
            await asyncio.wait((doing, dying), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise self._failure(f"Postgres in {self.data_dir} died as it started", None, "")
            doing.result()
        finally:
            doing.cancel()
            dying.cancel()
            await asyncio.gather(doing, dying, return_exceptions=True)

    async def _stop_process(self) -> None:
        process, self._process = self._process, None
        waiter, self._waiter = self._waiter, None
        if process is None or waiter is None:
            return
        for sig, timeout_s in STOP_STEPS:
            if not waiter.is_alive():
                return
            process.send_signal(sig)
            await asyncio.to_thread(waiter.join, timeout_s)

    async def _supervise(self) -> None:
        pause_s = RESTART_PAUSE_S_MIN
        while True:
            started_at = time.monotonic()
            await self._exited.wait()
            if time.monotonic() - started_at > RESTART_PAUSE_RESET_S:
                pause_s = RESTART_PAUSE_S_MIN
            while True:
                log.error(
                    "embedded_postgres_died", data_dir=str(self.data_dir), restart_in_s=pause_s
                )
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RESTART_PAUSE_S_MAX)
                try:
                    await self._start_locked()
                    break
                except Exception as error:
                    # Whatever it is, it must not end the supervisor: a connection that breaks at
                    # the wrong moment also shows as an error of the client library's own state.
                    log.error("embedded_postgres_restart_failed", error=str(error) or repr(error))
                    await self._stop_process()
            log.info("embedded_postgres_restarted", data_dir=str(self.data_dir), pid=self.pid)

    def _failure(self, what: str, code: int | None, output: str) -> EmbeddedPostgresError:
        if code == child.EXIT_NO_ACCESS:
            return EmbeddedPostgresError(
                f"{what}: the user that Postgres runs as cannot reach {self.data_dir} or the "
                "installed programs. Choose a --data-dir and an environment in directories that "
                "every user may enter, start the server as an ordinary user, or use your own "
                "Postgres with --database-url (HATCHET_DATABASE_URL)."
            )
        said = output.strip() or self._log_tail()
        ending = f" (exit code {code})" if code is not None else ""
        return EmbeddedPostgresError(f"{what}{ending}. Postgres says:\n{said or '(nothing)'}")

    def _log_tail(self) -> str:
        """The last words of Postgres: of its own log files, then of its first moments."""
        texts = []
        with contextlib.suppress(OSError):
            logs = (self._cluster_dir / "log").glob("*.log")
            newest = max(logs, key=lambda file: file.stat().st_mtime, default=None)
            if newest is not None:
                texts.append(newest.read_text(errors="replace"))
            texts.append((self.data_dir / "postgres.log").read_text(errors="replace"))
        return "\n".join("".join(texts).splitlines()[-LOG_TAIL_LINES:])


def _absolute(data_dir: Path | str) -> Path:
    return Path(data_dir).expanduser().absolute()


def attach(data_dir: Path | str) -> str:
    """The DSN of the Postgres that another process runs in `data_dir`.

    Raises `NotRunningError` when nobody does, or when it is not ready yet.
    """
    data_dir = _absolute(data_dir)
    postmaster = read_postmaster(data_dir / "postgres")
    if postmaster is None or not postmaster.ready or not is_postgres(postmaster.pid):
        raise NotRunningError(
            f"no server runs on the data directory {data_dir}. Start one with "
            f"`hatchet server --data-dir {data_dir}`."
        )
    return _dsn(postmaster.socket_dir, DATABASE)


@contextlib.asynccontextmanager
async def borrow(data_dir: Path | str) -> AsyncIterator[str]:
    """The DSN of the database in `data_dir`, for a short command, server or no server.

    Attaches to the Postgres of a running server; else starts one and stops it at the end.
    """
    data_dir = _absolute(data_dir)
    dsn = await _attach_when_ready(data_dir)
    if dsn is not None:
        # A server that has only just been started for the first time may not have come so far.
        await _ensure_database(dsn)
        yield dsn
        return
    postgres = EmbeddedPostgres(data_dir, purpose="command")
    dsn = await postgres.start(supervise=False)
    try:
        yield dsn
    finally:
        await postgres.stop()


async def _attach_when_ready(data_dir: Path) -> str | None:
    """The DSN of a running server's Postgres, waiting while it starts; None if no server runs."""
    deadline = time.monotonic() + COMMAND_WAIT_S
    while read_holder(data_dir / LOCK_FILE_NAME)[1] == "server":
        with contextlib.suppress(NotRunningError):
            return attach(data_dir)
        # The server starts or stops at this moment, or it was killed: then the lock is free.
        if DataDirLock(data_dir, purpose="command").is_free() or time.monotonic() > deadline:
            break
        await asyncio.sleep(CHECK_INTERVAL_S)
    return None


def _dsn(socket_dir: Path, database: str) -> str:
    return f"postgresql://{ROLE}@/{database}?host={quote(str(socket_dir), safe='')}"


async def _ensure_database(dsn: str) -> None:
    """Make our database; harmless when it is there, or when another process makes it meanwhile."""
    connection = await asyncpg.connect(dsn, database="postgres")
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            with contextlib.suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
