"""Is a port free? Asked before anything starts, so that the answer can name the flag."""

from __future__ import annotations

import contextlib
import errno
import socket

import psutil

from hatchet_cli.output import CommandError


def check_port(host: str, port: int, flag: str) -> None:
    """Raise `CommandError` if `host:port` cannot be listened on; `flag` is how to choose another.

    Port 0 means "any free one" and is always fine. Another program may still take the port
    between this check and its use; the server then fails with the plain error of the system.
    """
    if port == 0:
        return
    variable = "HATCHET_" + flag.removeprefix("--").replace("-", "_").upper()
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CommandError(
            f"--host {host}: {error.strerror}", hint="--host 127.0.0.1 (HATCHET_HOST)"
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        # As servers do: an old connection that is only fading away does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise _explain(error, host, port, flag, variable) from error


def _explain(error: OSError, host: str, port: int, flag: str, variable: str) -> CommandError:
    another = f"{flag} {suggest_port(port)} ({variable}), or {flag} 0 for any free port"
    if error.errno == errno.EADDRINUSE:
        owner = _owner_of(port)
        by = f" by {owner}" if owner else ""
        return CommandError(
            f"port {port} on {host} is taken{by}: {flag} must be another", hint=another
        )
    if error.errno == errno.EACCES:
        return CommandError(f"{flag} {port}: ports below 1024 need root", hint=another)
    if error.errno == errno.EADDRNOTAVAIL:
        return CommandError(
            f"--host {host} is no address of this machine", hint="--host 127.0.0.1 (HATCHET_HOST)"
        )
    return CommandError(f"{flag} {port}: {error.strerror}", hint=another)


def suggest_port(port: int) -> int:
    """A port to propose instead: ten further on, inside the legal range."""
    return port + 10 if port + 10 <= 65_535 else port - 10


def _owner_of(port: int) -> str | None:
    """`python (process 4711)`, when the system tells us."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.pid
                and connection.laddr
                and connection.laddr.port == port
            ):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None
