"""Help texts teach: every command has one, with an example."""

from __future__ import annotations

import click
import pytest
import typer

from hatchet_cli.main import app
from tests.cli.conftest import Hatchet


def commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}

    def collect(command: click.Command, path: tuple[str, ...]) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found[" ".join(path)] = command
            return
        for name, child in children.items():
            collect(child, (*path, name))

    collect(typer.main.get_command(app), ())
    return found


def test_the_promised_commands_exist() -> None:
    assert set(commands()) >= {
        "server",
        "dev",
        "demo",
        "run",
        "token create",
        "token list",
        "token revoke",
        "runs list",
        "runs get",
        "runs watch",
        "runs cancel",
        "runs replay",
        "runs rerun",
        "why",
        "workers list",
        "workflows list",
        "cron list",
        "cron create",
        "cron delete",
        "cron enable",
        "cron disable",
        "cron run-now",
        "cron preview",
        "scheduled list",
        "scheduled create",
        "scheduled delete",
        "scheduled run-now",
    }


@pytest.mark.parametrize("path", sorted(commands()))
def test_every_command_explains_itself(path: str, hatchet: Hatchet) -> None:
    result = hatchet(*path.split(), "--help")

    assert result.code == 0, result.err
    assert "Usage: hatchet" in result.out
    if path != "profile path":
        assert f"hatchet {path}" in result.out.partition("Usage:")[2].partition("\n")[2]


@pytest.mark.parametrize("path", sorted(commands()))
def test_every_option_has_a_help_text(path: str) -> None:
    for parameter in commands()[path].params:
        assert getattr(parameter, "help", None), f"{path}: {parameter.name}"


@pytest.mark.parametrize(
    "path", ["run", "runs list", "runs get", "runs watch", "workers list", "workflows list"]
)
def test_commands_with_results_have_json(path: str) -> None:
    assert any("--json" in parameter.opts for parameter in commands()[path].params)


def test_flags_of_the_server_name_their_variables() -> None:
    variables = {p.envvar for p in commands()["server"].params}
    assert variables >= {
        "HATCHET_DATA_DIR",
        "HATCHET_DATABASE_URL",
        "HATCHET_HOST",
        "HATCHET_HTTP_PORT",
        "HATCHET_GRPC_PORT",
    }


def test_version(hatchet: Hatchet) -> None:
    assert hatchet("--version").out.startswith("hatchet 0.")


def test_unknown_command_is_a_usage_error(hatchet: Hatchet) -> None:
    result = hatchet("serve")
    assert result.code == 2
    assert "No such command 'serve'" in result.err
