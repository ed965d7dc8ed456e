"""`hatchet profile`, and the writing of profiles. Their rules live in hatchet._core.profile."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hatchet._core.profile import (
    FILE_VERSION,
    Profile,
    load_profile,
    profile_name,
    profile_path,
    read_profiles,
)
from hatchet._core.token import read_claims
from hatchet_cli import output

app = typer.Typer(
    help="Show, export or remove the profiles that local servers leave, so that `Hatchet()` and "
    "this command find them without a token.",
    no_args_is_help=True,
)

NO_HOME = "there is no home directory for profiles: set HATCHET_CONFIG_DIR"


@app.command("show")
def show(as_json: output.JsonOption = False) -> None:
    """List the profiles; the chosen one is marked with a star.

    Choose another with HATCHET_PROFILE=name. Tokens are not shown.

    Example: hatchet profile show
    """
    path = _path()
    chosen = profile_name()
    rows = [
        {
            "name": name,
            "chosen": name == chosen,
            "server_url": entry.get("server_url"),
            "host_port": entry.get("host_port"),
            "server_pid": entry.get("server_pid"),
        }
        for name, entry in sorted(read_profiles(path).items())
    ]
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["", "name", "server", "grpc"],
        [["*" if r["chosen"] else "", r["name"], r["server_url"], r["host_port"]] for r in rows],
        empty="no profiles yet: `hatchet server` writes one",
    )


@app.command("env")
def env(
    name: Annotated[
        str | None, typer.Argument(help="Name of the profile (default: the chosen one).")
    ] = None,
) -> None:
    """Print a profile as shell variables, for curl and programs in containers. Shows the token.

    Example: eval "$(hatchet profile env)"
    """
    environ = client_environ(name)
    environ["HATCHET_CLIENT_TENANT_ID"] = read_claims(environ["HATCHET_CLIENT_TOKEN"]).tenant_id
    for key, value in environ.items():
        output.print_plain(f"export {key}={shlex.quote(value)}")


@app.command("path")
def path() -> None:
    """Print where the profiles are kept."""
    output.print_plain(str(_path()))


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name of the profile.")]) -> None:
    """Forget a profile.

    Example: hatchet profile remove local
    """
    if not remove_profile(name):
        raise output.CommandError(f"there is no profile {name!r}", hint="hatchet profile show")


def save_profile(profile: Profile) -> Path:
    """Add or replace a profile; return the file. The file is readable by its owner only."""
    file = _path()
    with _editing(file) as profiles:
        entry = dataclasses.asdict(profile)
        entry.pop("name")
        profiles[profile.name] = entry
    return file


def remove_profile(name: str) -> bool:
    """Forget a profile; False if there was none."""
    with _editing(_path()) as profiles:
        return profiles.pop(name, None) is not None


def client_environ(name: str | None = None) -> dict[str, str]:
    """The variables that point a program at the server of a profile, whatever else is set."""
    profile = load_profile(name)
    if profile is None:
        raise output.CommandError(
            f"there is no profile {name or profile_name()!r}, so programs cannot find the server",
            hint="`hatchet server` writes one, where HATCHET_CONFIG_DIR or your home says",
        )
    return {
        "HATCHET_CLIENT_TOKEN": profile.token,
        "HATCHET_CLIENT_HOST_PORT": profile.host_port,
        "HATCHET_CLIENT_SERVER_URL": profile.server_url,
        "HATCHET_CLIENT_TLS_STRATEGY": profile.tls_strategy,
    }


def forget_server(name: str, pid: int) -> None:
    """Note that the server `pid` has stopped, unless another one has taken the profile since.

    The profile itself stays: its token is good for the next start.
    """
    with contextlib.suppress(Exception):
        profile = load_profile(name)
        if profile is not None and profile.server_pid == pid:
            save_profile(dataclasses.replace(profile, server_pid=None))


@contextlib.contextmanager
def _editing(file: Path) -> Iterator[dict[str, object]]:
    """The profiles for change: one writer at a time, and readers never see half a file."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_fd = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        profiles = read_profiles(file)
        yield profiles
        text = json.dumps({"version": FILE_VERSION, "profiles": profiles}, indent=2) + "\n"
        # mkstemp makes it with mode 0600.
        temporary_fd, temporary = tempfile.mkstemp(dir=file.parent, prefix=".profiles-")
        try:
            with os.fdopen(temporary_fd, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    finally:
        os.close(lock_fd)


def _path() -> Path:
    file = profile_path()
    if file is None:
        raise output.CommandError(NO_HOME)
    return file
