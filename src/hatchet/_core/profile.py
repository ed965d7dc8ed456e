"""Profiles: how programs on this machine find a local server without a token set by hand.

`hatchet server` leaves one in the user's configuration directory; `Hatchet()` and the command line
read it when no `HATCHET_CLIENT_TOKEN` is set. Only the standard library is used here, because the
SDK must stay light. The file (mode 0600) looks like this:

    {"version": 1, "profiles": {"local": {"token": "...", "host_port": "127.0.0.1:7077",
     "server_url": "http://127.0.0.1:8080", "tls_strategy": "none", "server_pid": 4711}}}

Which profile: the `HATCHET_PROFILE` variable, else `local`. Where: `HATCHET_CONFIG_DIR`, else
`$XDG_CONFIG_HOME/hatchet`, else `~/.config/hatchet` (`%APPDATA%\\hatchet` on Windows).
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "profiles.json"
FILE_VERSION = 1
DEFAULT_PROFILE = "local"


class ProfileError(ValueError):
    """The profile file exists and cannot be used; the text names the file and the remedy."""


@dataclass(frozen=True)
class Profile:
    """One server and a token for it."""

    name: str
    token: str
    host_port: str
    """HOST:PORT of gRPC."""
    server_url: str
    tls_strategy: str = "none"
    server_pid: int | None = None
    """Process of the local server that wrote the profile: a hint whether it still runs."""


def profile_name(environ: Mapping[str, str] | None = None) -> str:
    """Name of the chosen profile."""
    environ = os.environ if environ is None else environ
    return environ.get("HATCHET_PROFILE") or DEFAULT_PROFILE


def config_dir(environ: Mapping[str, str] | None = None) -> Path | None:
    """The user's configuration directory of Hatchet; None where there is no home directory."""
    environ = os.environ if environ is None else environ
    if chosen := environ.get("HATCHET_CONFIG_DIR"):
        return Path(chosen).expanduser()
    if base := environ.get("XDG_CONFIG_HOME"):
        return Path(base) / "hatchet"
    if sys.platform == "win32" and (roaming := environ.get("APPDATA")):
        return Path(roaming) / "hatchet"
    try:
        return Path.home() / ".config" / "hatchet"
    except RuntimeError:
        return None


def profile_path(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file with all profiles; None where there is no home directory."""
    directory = config_dir(environ)
    return None if directory is None else directory / FILE_NAME


def load_profile(
    name: str | None = None, environ: Mapping[str, str] | None = None
) -> Profile | None:
    """The profile `name` (default: the chosen one); None if there is none.

    Raises `ProfileError` when the file cannot be read or understood.
    """
    path = profile_path(environ)
    name = name or profile_name(environ)
    if path is None:
        return None
    entry = read_profiles(path).get(name)
    if entry is None:
        return None
    try:
        return Profile(
            name=name,
            token=_text(entry, "token"),
            host_port=_text(entry, "host_port"),
            server_url=_text(entry, "server_url"),
            tls_strategy=str(entry.get("tls_strategy", "none")),
            server_pid=entry["server_pid"] if isinstance(entry.get("server_pid"), int) else None,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(path, f"profile {name!r} lacks {error}") from error


def read_profiles(path: Path) -> dict[str, Any]:
    """All profiles of a file by name; empty if there is no file. Raises `ProfileError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _damaged(path, str(error)) from error
    profiles = content.get("profiles") if isinstance(content, dict) else None
    if not isinstance(profiles, dict):
        raise _damaged(path, "it has no object 'profiles'")
    return profiles


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str) or not value:
        raise KeyError(key)
    return value


def _damaged(path: Path, reason: str) -> ProfileError:
    return ProfileError(
        f"cannot use the profiles in {path}: {reason}. Remove the file and start "
        "`hatchet server` again, or set HATCHET_CLIENT_TOKEN."
    )
