"""The embedded Postgres: first start, next start, and everything that can stand in its way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from hatchet_engine.app.embedded import (
    DataDirBusyError,
    DataDirLock,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    NotRunningError,
    attach,
    borrow,
)
from hatchet_engine.app.embedded import server as embedded_server
from hatchet_engine.app.embedded.cluster import find_programs, read_postmaster
from hatchet_engine.app.embedded.leftover import is_postgres, stop_leftover

DEADLINE_S = 15.0

# Starts Postgres, says so, and then waits to be killed.
SERVER_PROGRAM = """
import asyncio, sys
from hatchet_engine.app.embedded import EmbeddedPostgres

async def main():
    await EmbeddedPostgres(sys.argv[1]).start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hatchet-test-")) / "data"
    yield path
    shutil.rmtree(path.parent)


async def execute(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def wait_for_exit(pid: int) -> None:
    """Until the process is gone, or a zombie that its new parent has not noticed yet."""
    deadline = time.monotonic() + DEADLINE_S
    while is_postgres(pid):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def start_and_kill_server(data_dir: Path, *, before_kill: str = "SELECT 1") -> int:
    """Run a server in its own process, use it, kill it with −9; return the pid of its Postgres."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER_PROGRAM, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        assert (await asyncio.to_thread(server.stdout.readline)).strip() == "ready"
        await execute(attach(data_dir), before_kill)
        postmaster = read_postmaster(data_dir / "postgres")
        assert postmaster is not None
        server.kill()
    return postmaster.pid


async def test_data_survives_stop_and_start_and_both_are_quick(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir)
    before = time.monotonic()
    dsn = await postgres.start()
    assert time.monotonic() - before < 5
    assert await execute(dsn, "SHOW fsync") == "on"
    assert await execute(dsn, "SHOW synchronous_commit") == "on"
    await execute(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    await postgres.stop()
    assert postgres.pid is None

    before = time.monotonic()
    async with EmbeddedPostgres(data_dir) as dsn:
        assert time.monotonic() - before < 2
        assert await execute(dsn, "SELECT answer FROM kept") == 42


async def test_every_line_of_our_configuration_is_understood(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as dsn:
        problems = "SELECT string_agg(name || ': ' || error, '; ') FROM pg_file_settings"
        assert await execute(dsn, problems + " WHERE error IS NOT NULL") is None


async def test_second_server_on_one_data_dir_is_told_who_has_it(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir):
        with pytest.raises(DataDirBusyError, match=f"process {os.getpid()}.*--data-dir") as caught:
            await EmbeddedPostgres(data_dir).start()
        assert caught.value.pid == os.getpid()


async def test_server_waits_for_a_command_to_finish(data_dir: Path) -> None:
    data_dir.mkdir()
    command = DataDirLock(data_dir, purpose="command")
    await command.acquire()
    server = DataDirLock(data_dir, purpose="server")
    with pytest.raises(DataDirBusyError, match="a hatchet command"):
        await server.acquire(wait_s=0.1)

    waiting = asyncio.create_task(server.acquire(wait_s=DEADLINE_S))
    await asyncio.sleep(0)
    command.release()
    await waiting
    server.release()


async def test_attach_without_a_server_says_how_to_start_one(data_dir: Path) -> None:
    with pytest.raises(NotRunningError, match="hatchet server --data-dir"):
        attach(data_dir)


async def test_commands_borrow_the_database_with_and_without_a_server(data_dir: Path) -> None:
    async with borrow(data_dir) as dsn:
        await execute(dsn, "CREATE TABLE kept AS SELECT 1 AS answer")
    with pytest.raises(NotRunningError):
        attach(data_dir)

    async with EmbeddedPostgres(data_dir):
        async with borrow(data_dir) as dsn:
            assert await execute(dsn, "SELECT answer FROM kept") == 1
        assert await execute(attach(data_dir), "SELECT 1") == 1, "borrowing must not stop it"


async def test_two_commands_at_once_take_turns(data_dir: Path) -> None:
    async def use() -> object:
        async with borrow(data_dir) as dsn:
            return await execute(dsn, "SELECT 1")

    assert await asyncio.gather(use(), use()) == [1, 1]


async def test_pid_file_that_names_another_living_process(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, durable=False):
        pid_file = data_dir / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    socket_lock = data_dir / "run" / ".s.PGSQL.5432.lock"
    socket_lock.write_text("\n".join([str(os.getpid()), *lines[1:6]]) + "\n")

    with pytest.raises(NotRunningError):
        attach(data_dir)
    async with EmbeddedPostgres(data_dir, durable=False) as dsn:
        assert await execute(dsn, "SELECT 1") == 1


async def test_half_made_cluster_is_made_again(data_dir: Path) -> None:
    half = data_dir / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    async with EmbeddedPostgres(data_dir, durable=False) as dsn:
        assert await execute(dsn, "SELECT 1") == 1
    assert not half.exists()


async def test_postgres_that_dies_is_started_again(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir)
    dsn = await postgres.start()
    await execute(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    first_pid = postgres.pid
    assert first_pid is not None
    os.kill(first_pid, signal.SIGKILL)

    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            assert await execute(dsn, "SELECT answer FROM kept") == 42
            break
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
    assert postgres.pid != first_pid
    await postgres.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
async def test_postgres_ends_when_the_server_is_killed(data_dir: Path) -> None:
    pid = await start_and_kill_server(data_dir)
    await wait_for_exit(pid)


async def test_next_start_after_a_killed_server_finds_all_data(data_dir: Path) -> None:
    make = "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n"
    await start_and_kill_server(data_dir, before_kill=make)

    async with EmbeddedPostgres(data_dir) as dsn:
        assert await execute(dsn, "SELECT count(*) FROM kept") == 1000


async def test_postgres_left_over_without_owner_is_taken_down_first(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir)
    await postgres.start(supervise=False)
    pid = postgres.pid
    assert pid is not None
    postgres._lock.release()  # the owner is gone, its Postgres is not

    async with EmbeddedPostgres(data_dir) as dsn:
        assert await execute(dsn, "SELECT 1") == 1
        assert not is_postgres(pid)


async def test_a_helper_that_does_not_end_is_not_waited_for(data_dir: Path) -> None:
    """Its postmaster is gone, and it waits for a lock that nobody will give back."""
    postgres = EmbeddedPostgres(data_dir)
    dsn = await postgres.start(supervise=False)
    assert postgres.pid is not None
    helper, *_ = psutil.Process(postgres.pid).children()
    helper.suspend()
    os.kill(postgres.pid, signal.SIGKILL)
    await wait_for_exit(postgres.pid)
    await postgres.stop()
    before = time.monotonic()
    await stop_leftover(data_dir / "postgres", data_dir / "run")
    assert time.monotonic() - before < 5
    async with EmbeddedPostgres(data_dir):
        assert await execute(dsn, "SELECT 1") == 1


async def test_postgres_that_dies_without_a_word_to_its_client(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_answered(_: str) -> None:
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
        await asyncio.Event().wait()

    postgres = EmbeddedPostgres(data_dir)
    monkeypatch.setattr(embedded_server, "_ensure_database", never_answered)
    with pytest.raises(EmbeddedPostgresError, match="died as it started"):
        await postgres.start()
    assert postgres.pid is None


async def test_path_too_long_for_a_socket(data_dir: Path) -> None:
    long_dir = data_dir / ("long" * 25)
    async with EmbeddedPostgres(long_dir, durable=False) as dsn:
        assert await execute(dsn, "SELECT 1") == 1
        socket_dir = Path(str(await execute(dsn, "SHOW unix_socket_directories")))
        assert await execute(attach(long_dir), "SELECT 1") == 1
    assert not socket_dir.is_relative_to(long_dir)
    shutil.rmtree(socket_dir)


async def test_path_with_spaces_and_quotes(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir / "it's a data dir", durable=False) as dsn:
        assert await execute(dsn, "SELECT 1") == 1


async def test_data_dir_that_is_a_file_names_the_flag(data_dir: Path) -> None:
    data_dir.write_text("")
    with pytest.raises(EmbeddedPostgresError, match="--data-dir"):
        await EmbeddedPostgres(data_dir).start()


async def test_own_settings_win_and_wrong_ones_are_reported(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, durable=False):
        pass
    own = data_dir / "config" / "local.conf"
    own.write_text("work_mem = '7MB'\n")
    async with EmbeddedPostgres(data_dir, durable=False) as dsn:
        assert await execute(dsn, "SHOW work_mem") == "7MB"

    own.write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        await EmbeddedPostgres(data_dir, durable=False).start()
    assert DataDirLock(data_dir, purpose="command").is_free(), "a failed start frees the directory"


async def test_cluster_of_an_unknown_version_is_left_alone(data_dir: Path) -> None:
    cluster_dir = data_dir / "postgres"
    cluster_dir.mkdir(parents=True)
    (cluster_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match="made by Postgres 9"):
        find_programs(cluster_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to change the user")
async def test_root_runs_it_as_another_user_even_in_a_closed_directory(data_dir: Path) -> None:
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700
    postgres = EmbeddedPostgres(data_dir, durable=False)
    dsn = await postgres.start()
    assert postgres.pid is not None
    assert psutil.Process(postgres.pid).uids().effective != 0
    assert await execute(dsn, "SELECT 1") == 1
    await postgres.stop()
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700, "nobody's directories are opened up"
