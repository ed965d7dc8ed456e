"""The real server, started as a user would: `hatchet server --data-dir … --http-port …`.

    with running_server(directory) as server:
        environ = server.client_environ()
        server.kill()      # as a power failure would
        server.start()     # same data, same ports

Each server has an embedded Postgres of its own.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from tests.support.processes import Program

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "hatchet_cli"]
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0

# Below the ports that systems give to outgoing connections: while the server is away, none of the
# clients that try to reach it may happen upon its port as the near end of their own connection.
PORTS = range(20_000, 32_000)


def bare_environ() -> dict[str, str]:
    """The environment without anything that would configure Hatchet."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HATCHET_")}


class Server:
    """One server with its data; may be stopped, killed and started again."""

    def __init__(self, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.http_port, self.grpc_port = _free_ports(2)
        self._environ = {
            **bare_environ(),
            "HATCHET_CONFIG_DIR": str(directory / "config"),
            "HATCHET_END_WITH_PARENT": "1",
            **(environ or {}),
        }
        self._program: Program | None = None

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        assert self._program is None
        ports = ["--http-port", str(self.http_port), "--grpc-port", str(self.grpc_port)]
        self._program = Program(
            "server",
            [*COMMAND, "server", "--data-dir", str(self.data_dir), *ports],
            environ=self._environ,
            cwd=self.directory,
        )
        self._program.wait_for_line("^ready ", timeout_s=READY_TIMEOUT_S)

    def kill(self) -> None:
        """End the engine with SIGKILL. Its Postgres is left behind, as it would be."""
        self._take_program().kill_alone()

    def stop(self) -> None:
        """Ask it to stop and wait until it has, with exit code 0."""
        program = self._take_program()
        program.terminate()
        code = program.wait(STOP_TIMEOUT_S)
        assert code == 0, f"the server ended with exit code {code}"

    def discard(self) -> None:
        """Stop it by any means; for the end of a test."""
        if self._program is not None:
            self._take_program().stop(STOP_TIMEOUT_S)

    @cached_property
    def token(self) -> str:
        """A token, made by the command line."""
        done = subprocess.run(
            [*COMMAND, "token", "create", "--data-dir", str(self.data_dir)],
            env=self._environ,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=READY_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def client_environ(self) -> dict[str, str]:
        """What a program needs in order to reach this server, and nothing else of Hatchet's."""
        return {
            **bare_environ(),
            "HATCHET_CLIENT_TOKEN": self.token,
            "HATCHET_CLIENT_TLS_STRATEGY": "none",
        }

    def _take_program(self) -> Program:
        assert self._program is not None, "the server is not running"
        program, self._program = self._program, None
        return program


@contextmanager
def running_server(environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server in a directory of its own; both are gone afterwards."""
    # Not pytest's tmp_path: that is closed to other users, and as root Postgres runs as another.
    directory = Path(tempfile.mkdtemp(prefix="hatchet-test-"))
    directory.chmod(0o711)
    server = Server(directory, environ)
    try:
        server.start()
        yield server
    finally:
        server.discard()
        shutil.rmtree(directory, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(PORTS, k=len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")
