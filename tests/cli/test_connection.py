"""Which server a command talks to: the token wins, then the profile."""

from __future__ import annotations

import pytest

from hatchet._core.profile import Profile
from hatchet_cli.connection import find_connection
from hatchet_cli.output import CommandError
from hatchet_cli.profile import save_profile
from tests.cli.conftest import TENANT, FakeApi, Hatchet, make_token


@pytest.fixture
def profile() -> Profile:
    profile = Profile("local", make_token("http://in-token"), "127.0.0.1:7077", "http://in-profile")
    save_profile(profile)
    return profile


def test_profile_is_used_when_no_token_is_set(profile: Profile) -> None:
    connection = find_connection()
    assert connection.server_url == "http://in-profile"
    assert connection.tenant_id == TENANT
    assert "local" in connection.source


def test_token_wins_over_profile(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCHET_CLIENT_TOKEN", make_token("http://elsewhere"))
    assert find_connection().server_url == "http://elsewhere"
    monkeypatch.setenv("HATCHET_CLIENT_SERVER_URL", "http://set")
    assert find_connection().server_url == "http://set"


def test_nothing_known_says_what_to_do(hatchet: Hatchet) -> None:
    result = hatchet("runs", "list")
    assert result.code == 1
    assert "no server is known" in result.err
    assert "hatchet server" in result.err
    assert result.out == ""


def test_token_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCHET_CLIENT_TOKEN", "secret")
    with pytest.raises(CommandError, match="HATCHET_CLIENT_TOKEN"):
        find_connection()


def test_server_that_does_not_answer(hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCHET_CLIENT_TOKEN", make_token("http://127.0.0.1:9"))
    result = hatchet("workers", "list")
    assert result.code == 1
    assert "no server answers at http://127.0.0.1:9" in result.err


def test_refused_token(hatchet: Hatchet, api: FakeApi) -> None:
    api.answers["GET", f"/api/v1/tenants/{TENANT}/worker"] = (403, {"message": "invalid token"})
    result = hatchet("workers", "list")
    assert result.code == 1
    assert "refuses the token: invalid token" in result.err
    assert "hatchet token create" in result.err


def test_answer_of_something_else(hatchet: Hatchet, api: FakeApi) -> None:
    api.answers["GET", f"/api/v1/tenants/{TENANT}/workflows"] = (
        500,
        {"errors": [{"description": "boom"}]},
    )
    result = hatchet("workflows", "list")
    assert result.code == 1
    assert "boom (HTTP 500)" in result.err
