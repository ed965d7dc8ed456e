"""The frame of `hatchet server`: ready line, profile, signals. The engine is a stand-in here."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from hatchet._core.profile import Profile, load_profile
from hatchet_cli.profile import save_profile
from hatchet_engine.store.migrate import migrate

DEADLINE_S = 20.0

# Serves nothing, but says it is ready, and stops when it is told to.
PROGRAM = """
import asyncio, sys, types
from dataclasses import dataclass

@dataclass
class ServerInfo:
    http_url: str
    grpc_address: str
    version: str
    database: str

slow_stop = "--slow-stop" in sys.argv

async def serve(settings, *, on_ready, stop=None):
    on_ready(ServerInfo("http://127.0.0.1:1", "127.0.0.1:2", "0.1.0", "a stand-in"))
    await stop.wait()
    if slow_stop:
        await asyncio.Event().wait()

async def profile_token(settings, info, old_token):
    return old_token or "new-token"

module = types.ModuleType("hatchet_engine.app.server")
module.serve, module.ServerInfo = serve, ServerInfo
sys.modules[module.__name__] = module
from hatchet_cli import engine
engine.profile_token = profile_token
from hatchet_cli.main import main
arguments = [argument for argument in sys.argv[1:] if argument != "--slow-stop"]
sys.argv[1:] = arguments
main()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setenv("HATCHET_DATA_DIR", str(tmp_path / "data"))
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        ports = ["--http-port", "0", "--grpc-port", "0"]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "server", *ports, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_ready_line_and_profile(start: Start) -> None:
    server = start()

    assert read_line(server) == "ready http://127.0.0.1:1 grpc 127.0.0.1:2 version 0.1.0\n"
    assert load_profile() == Profile(
        "local", "new-token", "127.0.0.1:2", "http://127.0.0.1:1", "none", server.pid
    )


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_cleanly(start: Start, sig: signal.Signals) -> None:
    server = start()
    read_line(server)
    server.send_signal(sig)

    _, err = server.communicate(timeout=DEADLINE_S)
    assert server.returncode == 0, err
    profile = load_profile()
    assert profile is not None
    assert profile.server_pid is None


def test_signal_stops_it_cleanly_when_nobody_reads_its_log(start: Start) -> None:
    server = start()
    read_line(server)
    assert server.stderr is not None
    server.stderr.close()
    server.send_signal(signal.SIGTERM)
    assert server.wait(DEADLINE_S) == 0
    profile = load_profile()
    assert profile is not None
    assert profile.server_pid is None
    server.stderr = None


def test_second_signal_ends_a_slow_stop(start: Start) -> None:
    server = start("--slow-stop")
    read_line(server)
    server.send_signal(signal.SIGTERM)
    assert server.stderr is not None
    assert "once more" in server.stderr.readline()
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=DEADLINE_S)
    assert server.returncode == 128 + signal.SIGTERM


def test_good_token_of_the_profile_is_kept(start: Start) -> None:
    save_profile(Profile("local", "old-token", "h:1", "http://h"))
    read_line(start())
    profile = load_profile()
    assert profile is not None
    assert profile.token == "old-token"
    assert profile.host_port == "127.0.0.1:2"


def test_no_profile_is_written_when_not_wanted(start: Start) -> None:
    read_line(start("--no-profile"))
    assert load_profile() is None


def test_profile_of_another_name(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCHET_PROFILE", "second")
    read_line(start())
    assert load_profile("second") is not None
    assert load_profile("local") is None


def test_directory_that_cannot_hold_a_profile_does_not_stop_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCHET_CONFIG_DIR", os.devnull)
    server = start()
    assert read_line(server).startswith("ready")
    server.terminate()
    _, err = server.communicate(timeout=DEADLINE_S)
    assert "no profile was written" in err
    assert server.returncode == 0


def test_database_of_another_build_is_one_sentence(empty_database_url: str) -> None:
    async def edit() -> None:
        await migrate(empty_database_url)
        connection = await asyncpg.connect(empty_database_url)
        await connection.execute("update schema_version set digest = '0'")
        await connection.close()

    asyncio.run(edit())
    command = [sys.executable, "-m", "hatchet_cli", "server", "--no-profile"]
    command += ["--database-url", empty_database_url, "--http-port", "0", "--grpc-port", "0"]
    # In a process of its own: it sets up the log of the whole process.
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: the database was made by another build of hatchet")
    assert "Traceback" not in ended.stderr
