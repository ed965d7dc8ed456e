"""`hatchet server`: run the engine in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatchet_cli import output
from hatchet_cli.ports import check_port
from hatchet_cli.processes import tie_to_parent

if TYPE_CHECKING:
    from hatchet_engine.app.server import ServerInfo
    from hatchet_engine.app.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="HATCHET_DATA_DIR",
        help="Where the embedded Postgres keeps its files (default: your data directory).",
        show_default=False,
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="HATCHET_DATABASE_URL",
        metavar="URL",
        help="Use this Postgres instead of the embedded one.",
        show_default=False,
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        envvar="HATCHET_HOST", help="Address to listen on (127.0.0.1).", show_default=False
    ),
]
HttpPort = Annotated[
    int | None,
    typer.Option(
        envvar="HATCHET_HTTP_PORT", help="Port of REST and pages (8080).", show_default=False
    ),
]
GrpcPort = Annotated[
    int | None,
    typer.Option(
        envvar="HATCHET_GRPC_PORT", help="Port of workers and clients (7077).", show_default=False
    ),
]


def server(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    host: Host = None,
    http_port: HttpPort = None,
    grpc_port: GrpcPort = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            envvar="HATCHET_LOG_LEVEL", help="debug, info, warning or error.", show_default=False
        ),
    ] = None,
    profile: Annotated[
        bool,
        typer.Option(help="Leave a profile, by which Hatchet() and this command find the server."),
    ] = True,
) -> None:
    """Run the server until Ctrl-C. It prints a line beginning `ready` when it serves.

    Without --database-url an embedded Postgres starts in the data directory. Further settings are
    environment variables; see the reference of settings.

    Examples:

        hatchet server

        hatchet server --data-dir ./data --http-port 9080 --grpc-port 9077

        hatchet server --database-url postgresql://me:secret@db/hatchet --host 0.0.0.0
    """
    settings = load_settings(
        data_dir=data_dir,
        database_url=database_url,
        host=host,
        http_port=http_port,
        grpc_port=grpc_port,
        log_level=log_level,
    )
    tie_to_parent()
    check_port(settings.host, settings.http_port, "--http-port")
    check_port(settings.host, settings.grpc_port, "--grpc-port")
    run_server(settings, write_profile=profile)


def load_settings(**flags: object) -> Settings:
    """Settings from flags and environment; raises `CommandError` that names what cannot be used."""
    try:
        from hatchet_engine.app.settings import Settings, SettingsError
    except ImportError as error:
        raise output.CommandError(
            f"the server is not installed ({error})", hint="pip install 'hatchet[server]'"
        ) from error
    try:
        return Settings.load(**flags)
    except SettingsError as error:
        raise output.CommandError(str(error), code=output.EXIT_USAGE) from error


def run_server(settings: Settings, *, write_profile: bool) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the process at once."""
    import asyncpg
    import uvloop

    from hatchet_engine.app.embedded import EmbeddedPostgresError
    from hatchet_engine.app.log_output import configure_logging
    from hatchet_engine.domain.errors import Refused

    configure_logging(settings)
    try:
        uvloop.run(_serve(settings, write_profile=write_profile))
    except (EmbeddedPostgresError, Refused) as error:
        raise output.CommandError(str(error)) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        hint = None if settings.embedded else "check --database-url (HATCHET_DATABASE_URL)"
        reason = str(error) or type(error).__name__
        raise output.CommandError(f"the server cannot run: {reason}", hint=hint) from error


async def _serve(settings: Settings, *, write_profile: bool) -> None:
    from hatchet_engine.app.server import serve

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def ask_to_stop(sig: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + sig)
        stop.set()
        with contextlib.suppress(OSError, SystemExit):  # nobody may be left to read it
            output.note("stopping (once more to end at once)")

    for sig in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sig, ask_to_stop, sig)

    announcing: list[asyncio.Task[None]] = []

    def on_ready(info: ServerInfo) -> None:
        announcing.append(loop.create_task(_announce(settings, info, write_profile=write_profile)))

    try:
        await serve(settings, on_ready=on_ready, stop=stop)
        for task in announcing:
            await task
    finally:
        if write_profile:
            from hatchet._core.profile import profile_name
            from hatchet_cli.profile import forget_server

            forget_server(profile_name(), os.getpid())


async def _announce(settings: Settings, info: ServerInfo, *, write_profile: bool) -> None:
    """Write the profile first: whoever reads `ready` may rely on it."""
    from hatchet_cli import engine

    engine.remember_addresses(settings, engine.Addresses(info.http_url, info.grpc_address))
    if write_profile:
        await _write_profile(settings, info)
    output.print_plain(f"ready {info.http_url} grpc {info.grpc_address} version {info.version}")


async def _write_profile(settings: Settings, info: ServerInfo) -> None:
    from hatchet._core.profile import Profile, ProfileError, load_profile, profile_name
    from hatchet_cli import engine
    from hatchet_cli.profile import save_profile

    name = profile_name()
    try:
        old = load_profile(name)
        token = await engine.profile_token(settings, info, old.token if old else None)
        save_profile(
            Profile(
                name=name,
                token=token,
                host_port=info.grpc_address,
                server_url=info.http_url,
                tls_strategy="tls" if settings.tls_cert_file else "none",
                server_pid=os.getpid(),
            )
        )
    except (ProfileError, OSError, output.CommandError) as error:
        # A server without a profile is still a server: a read-only home must not stop it.
        output.note(f"no profile was written: {error}")
