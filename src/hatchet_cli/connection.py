"""Which server a command talks to.

1. `HATCHET_CLIENT_TOKEN` (from the environment or a dotenv file, as in the SDK); the address is in
   the token unless `HATCHET_CLIENT_SERVER_URL` gives another.
2. The profile that a local server has left; `HATCHET_PROFILE` chooses one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hatchet._core.environment import read_environment
from hatchet._core.profile import ProfileError, load_profile, profile_name
from hatchet._core.token import read_claims
from hatchet_cli.output import CommandError


@dataclass(frozen=True, slots=True)
class Connection:
    """Where REST is, and who we are there."""

    server_url: str
    token: str
    tenant_id: str
    source: str
    """Where this was found, for messages."""
    root_ca_file: str | None = None


def find_connection() -> Connection:
    """The server for this command; raises `CommandError` when none is known."""
    environ = read_environment()
    root_ca_file = environ.get("HATCHET_CLIENT_TLS_ROOT_CA_FILE") or None
    try:
        if token := environ.get("HATCHET_CLIENT_TOKEN"):
            claims = read_claims(token)
            return Connection(
                server_url=environ.get("HATCHET_CLIENT_SERVER_URL") or claims.server_url,
                token=token,
                tenant_id=environ.get("HATCHET_CLIENT_TENANT_ID") or claims.tenant_id,
                source="HATCHET_CLIENT_TOKEN",
                root_ca_file=root_ca_file,
            )
        profile = load_profile(environ=environ)
        if profile is not None:
            return Connection(
                server_url=environ.get("HATCHET_CLIENT_SERVER_URL") or profile.server_url,
                token=profile.token,
                tenant_id=read_claims(profile.token).tenant_id,
                source=f"profile {profile.name!r}",
                root_ca_file=root_ca_file,
            )
    except ProfileError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        raise CommandError(str(error), hint="hatchet token create") from error
    raise CommandError(
        f"no server is known: HATCHET_CLIENT_TOKEN is not set, and there is no profile "
        f"{profile_name(environ)!r}",
        hint="start one with `hatchet server`, or set HATCHET_CLIENT_TOKEN",
    )
