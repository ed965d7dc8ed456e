"""`hatchet dev`: a server, and workers that start again when a file changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hatchet_cli import output
from hatchet_cli.processes import Child, own_command
from hatchet_cli.profile import client_environ
from hatchet_cli.server import DatabaseUrl, DataDir, GrpcPort, Host, HttpPort, load_settings

SERVER_READY_TIMEOUT_S = 60.0
CHECK_INTERVAL_MS = 500


def dev(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:WORKERS", help="A worker, a list of workers, or a function giving them."
        ),
    ],
    watch: Annotated[
        list[Path] | None,
        typer.Option(help="Directory to watch for changes (default: this one); repeat."),
    ] = None,
    reload: Annotated[bool, typer.Option(help="Start again when a file changes.")] = True,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    host: Host = None,
    http_port: HttpPort = None,
    grpc_port: GrpcPort = None,
) -> None:
    """Run a server and your workers together; the workers start again when a file changes.

    Examples:

        hatchet dev app:worker

        hatchet dev jobs.main:workers --watch ./jobs --watch ./lib
    """
    settings = load_settings(
        data_dir=data_dir,
        database_url=database_url,
        host=host,
        http_port=http_port,
        grpc_port=grpc_port,
    )
    if ":" not in target:
        raise output.CommandError(
            f"{target!r} must look like MODULE:WORKERS", hint="hatchet dev app:worker"
        )
    flags = [
        f"--data-dir={settings.data_dir}",
        f"--host={settings.host}",
        f"--http-port={settings.http_port}",
        f"--grpc-port={settings.grpc_port}",
    ]
    if settings.database_url:
        flags.append(f"--database-url={settings.database_url}")
    with running_server(flags):
        _work(target, watch or [Path()], reload=reload)


@contextmanager
def running_server(flags: list[str]) -> Iterator[str]:
    """A server as a child process; gives the line with which it said that it is ready."""
    server = Child("server", own_command("server", *flags), on_line=_show)
    try:
        yield server.wait_ready(SERVER_READY_TIMEOUT_S)
    finally:
        server.stop()


def _work(target: str, watched: list[Path], *, reload: bool) -> None:
    import watchfiles

    def start() -> Child:
        return Child(
            "worker",
            [sys.executable, "-m", "hatchet_cli.worker_process", target],
            # A token of another server may be set here; ours must win.
            environ=client_environ(),
            on_line=_show,
        )

    worker = start()
    try:
        changes = watchfiles.watch(
            *watched,
            watch_filter=watchfiles.PythonFilter(),
            rust_timeout=CHECK_INTERVAL_MS,
            yield_on_timeout=True,
            raise_interrupt=True,
        )
        told = False
        for change in changes:
            if change and reload:
                names = sorted({Path(path).name for _, path in change})
                output.note(f"changed: {', '.join(names)}; starting the worker again")
                worker.stop()
                worker, told = start(), False
            elif not worker.running and not told:
                if not reload:
                    raise worker.failure()
                output.note(f"the worker ended with code {worker.exit_code}; waiting for a change")
                told = True
    except KeyboardInterrupt:
        output.note("stopping")
    finally:
        worker.stop()


def _show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
