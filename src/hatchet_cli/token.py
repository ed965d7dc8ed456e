"""`hatchet token`: make, list and revoke API tokens, straight in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Annotated, Any, TypeVar

import typer

from hatchet_cli import output
from hatchet_cli.durations import read_duration
from hatchet_cli.server import DatabaseUrl, DataDir, load_settings

T = TypeVar("T")

DEFAULT_LIFE = "90d"
LIFE_MAX = timedelta(days=3_650)

app = typer.Typer(
    help="Make, list and revoke API tokens. These commands work on the database itself, with or "
    "without a running server.",
    no_args_is_help=True,
)

Tenant = Annotated[
    str | None,
    typer.Option("--tenant", help="Id or slug of the tenant (default: the first one)."),
]


@app.command("create")
def create(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    tenant: Tenant = None,
    name: Annotated[str, typer.Option(help="What the token is for; shown in lists.")] = "cli",
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it is good for: 12h, 90d …")
    ] = DEFAULT_LIFE,
    server_url: Annotated[
        str | None,
        typer.Option(
            envvar="HATCHET_SERVER_URL", help="URL of REST in the token.", show_default=False
        ),
    ] = None,
    grpc_address: Annotated[
        str | None,
        typer.Option(
            envvar="HATCHET_GRPC_BROADCAST_ADDRESS",
            metavar="HOST:PORT",
            help="Address of gRPC in the token.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print a new token, and nothing else. It cannot be shown again.

    Examples:

        export HATCHET_CLIENT_TOKEN=$(hatchet token create)

        hatchet token create --name ci --expires 30d --data-dir ./data
    """
    life = read_duration("--expires", expires)
    if not timedelta() < life <= LIFE_MAX:
        raise output.CommandError(
            f"--expires {expires}: must be more than 0 and at most {LIFE_MAX.days}d",
            code=output.EXIT_USAGE,
        )
    settings = load_settings(
        data_dir=data_dir,
        database_url=database_url,
        server_url=server_url,
        grpc_broadcast_address=grpc_address,
    )
    from hatchet_cli import engine

    output.print_plain(_run(engine.create_token(settings, tenant=tenant, name=name, life=life)))


@app.command("list")
def list_tokens(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    tenant: Tenant = None,
    as_json: output.JsonOption = False,
) -> None:
    """List tokens: id, name, and until when they are good. The tokens themselves are not kept.

    Example: hatchet token list --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from hatchet_cli import engine

    rows = _run(engine.list_tokens(settings, tenant=tenant))
    if as_json:
        output.print_json(rows)
        return
    output.print_table(
        ["id", "name", "created", "expires", "state"],
        [[r["id"], r["name"], r["created_at"], r["expires_at"], r["state"]] for r in rows],
        empty="no tokens yet: `hatchet token create` makes one",
    )


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id from `hatchet token list`.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    tenant: Tenant = None,
) -> None:
    """Make a token worthless, at once and for ever.

    Example: hatchet token revoke 019a7c5e-…
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    from hatchet_cli import engine

    _run(engine.revoke_token(settings, tenant=tenant, token_id=token_id))
    output.note(f"token {token_id} is revoked")


def _run(work: Coroutine[Any, Any, T]) -> T:
    from hatchet_engine.app.embedded import EmbeddedPostgresError

    try:
        return asyncio.run(work)
    except EmbeddedPostgresError as error:
        raise output.CommandError(str(error)) from error
