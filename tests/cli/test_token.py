"""`hatchet token`: with a database of one's own, and with an embedded one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatchet._core.token import read_claims
from hatchet_cli.engine import Addresses, best_addresses, remember_addresses
from hatchet_engine.app.settings import Settings
from tests.cli.conftest import TENANT, Hatchet


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hatchet-test-"))
    yield path / "data"
    shutil.rmtree(path)


@pytest.fixture
def token_command(hatchet: Hatchet, empty_database_url: str) -> Hatchet:
    return lambda verb, *rest: hatchet("token", verb, "--database-url", empty_database_url, *rest)


def test_create_prints_the_token_and_nothing_else(token_command: Hatchet) -> None:
    result = token_command("create", "--name", "ci", "--expires", "30d")

    assert result.code == 0, result.err
    assert result.err == ""
    claims = read_claims(result.out.removesuffix("\n"))
    assert claims.tenant_id == TENANT
    assert claims.server_url == "http://127.0.0.1:8080"
    assert claims.grpc_broadcast_address == "127.0.0.1:7077"


def test_list_and_revoke(token_command: Hatchet) -> None:
    token_command("create", "--name", "first")
    token_command("create", "--name", "second", "--tenant", "default")

    rows = token_command("list", "--json").json
    assert [(row["name"], row["state"]) for row in rows] == [("second", "good"), ("first", "good")]

    assert token_command("revoke", rows[0]["id"]).code == 0
    states = {row["name"]: row["state"] for row in token_command("list", "--json").json}
    assert states == {"first": "good", "second": "revoked"}
    assert "revoked" in token_command("list").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["create", "--expires", "soon"], "--expires: 'soon' is no duration"),
        (["create", "--expires", "0s"], "--expires 0s: must be more than 0"),
        (["create", "--expires", "9999d"], "at most 3650d"),
        (["create", "--tenant", "nobody"], "no tenant 'nobody'"),
        (["create", "--name", "x" * 300], "name"),
        (["revoke", "something"], "'something' is no id of a token"),
        (["revoke", TENANT], f"no token {TENANT}"),
    ],
)
def test_refusals(arguments: list[str], expected: str, token_command: Hatchet) -> None:
    verb, *rest = arguments
    result = token_command(verb, *rest)
    assert result.code != 0
    assert expected in result.err
    assert result.out == ""


def test_database_that_cannot_be_reached_names_the_flag(hatchet: Hatchet) -> None:
    result = hatchet("token", "create", "--database-url", "postgresql://u@127.0.0.1:9/none")
    assert result.code == 1
    assert "cannot open the database" in result.err
    assert "--database-url" in result.err


def test_embedded_database_without_a_server(hatchet: Hatchet, data_dir: Path) -> None:
    made = hatchet("token", "create", "--data-dir", str(data_dir), "--name", "alone")
    assert made.code == 0, made.err
    rows = hatchet("token", "list", "--data-dir", str(data_dir), "--json").json
    assert [row["name"] for row in rows] == ["alone"]


def test_addresses_are_those_of_the_server_that_ran_last(data_dir: Path) -> None:
    data_dir.mkdir()
    settings = Settings.load({}, data_dir=data_dir)
    assert best_addresses(settings) == Addresses("http://127.0.0.1:8080", "127.0.0.1:7077")

    remember_addresses(settings, Addresses("http://127.0.0.1:9080", "127.0.0.1:9077"))
    assert best_addresses(settings) == Addresses("http://127.0.0.1:9080", "127.0.0.1:9077")

    told = Settings.load({}, data_dir=data_dir, server_url="https://jobs.example")
    assert best_addresses(told) == Addresses("https://jobs.example", "127.0.0.1:9077")
