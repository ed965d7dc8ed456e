"""Profiles: written by servers, read by programs, private to the user."""

from __future__ import annotations

import dataclasses
import json
import stat
import threading
from pathlib import Path

import pytest

from hatchet._core.profile import Profile, ProfileError, load_profile, profile_path
from hatchet_cli.profile import client_environ, forget_server, remove_profile, save_profile
from tests.cli.conftest import TENANT, Hatchet, make_token

LOCAL = Profile("local", "token", "127.0.0.1:7077", "http://127.0.0.1:8080", server_pid=7)


def test_what_is_saved_is_loaded() -> None:
    assert load_profile() is None
    save_profile(LOCAL)
    assert load_profile() == LOCAL


def test_only_the_owner_may_read_it() -> None:
    file = save_profile(LOCAL)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_several_profiles_and_the_choice_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Profile("other", "token-2", "127.0.0.1:9077", "http://127.0.0.1:9080")
    save_profile(LOCAL)
    save_profile(other)

    assert load_profile("other") == other
    assert load_profile() == LOCAL
    monkeypatch.setenv("HATCHET_PROFILE", "other")
    assert load_profile() == other
    assert client_environ()["HATCHET_CLIENT_TOKEN"] == "token-2"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HATCHET_CONFIG_DIR": "/a", "XDG_CONFIG_HOME": "/b"}, "/a/profiles.json"),
        ({"XDG_CONFIG_HOME": "/b"}, "/b/hatchet/profiles.json"),
    ],
)
def test_place_of_the_file(environ: dict[str, str], expected: str) -> None:
    assert profile_path(environ) == Path(expected)


def test_place_of_the_file_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert profile_path({}) == tmp_path / ".config" / "hatchet" / "profiles.json"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"profiles": {"local": {}}}', '{"profiles": {"local": 3}}', "\xff\x00"],
)
def test_damaged_file_names_itself_and_the_remedy(content: str) -> None:
    file = save_profile(LOCAL)
    file.write_text(content, encoding="latin-1")
    with pytest.raises(ProfileError, match=r"profiles\.json.*Remove the file"):
        load_profile()


def test_concurrent_servers_do_not_lose_each_others_profiles() -> None:
    def save(number: int) -> None:
        save_profile(Profile(f"p{number}", "t", "h:1", "http://h"))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(load_profile(f"p{number}") for number in range(10))


def test_a_stopped_server_leaves_its_token_behind() -> None:
    save_profile(LOCAL)
    forget_server("local", pid=8)
    assert load_profile() == LOCAL, "another server has the profile by now"
    forget_server("local", pid=7)
    profile = load_profile()
    assert profile is not None
    assert profile.server_pid is None
    assert profile.token == LOCAL.token


def test_show_keeps_the_token_to_itself(hatchet: Hatchet) -> None:
    save_profile(Profile("local", "very-secret", "127.0.0.1:7077", "http://127.0.0.1:8080"))

    table, document = hatchet("profile", "show"), hatchet("profile", "show", "--json")

    assert "http://127.0.0.1:8080" in table.out
    assert document.json[0]["chosen"] is True
    assert "very-secret" not in table.out + document.out


def test_remove(hatchet: Hatchet) -> None:
    save_profile(LOCAL)
    assert hatchet("profile", "remove", "local").code == 0
    assert load_profile() is None
    assert not remove_profile("local")
    result = hatchet("profile", "remove", "local")
    assert result.code == 1
    assert "no profile 'local'" in result.err


def test_file_has_a_version_for_later_changes() -> None:
    assert json.loads(save_profile(LOCAL).read_text())["version"] == 1


def test_a_profile_as_shell_variables(hatchet: Hatchet) -> None:
    result = hatchet("profile", "env")
    assert result.code == 1
    assert "there is no profile 'local'" in result.err
    save_profile(dataclasses.replace(LOCAL, token=make_token()))
    lines = dict(line.removeprefix("export ").split("=", 1) for line in env_lines(hatchet))
    assert lines["HATCHET_CLIENT_TENANT_ID"] == TENANT
    assert lines["HATCHET_CLIENT_SERVER_URL"] == "http://127.0.0.1:8080"
    assert lines["HATCHET_CLIENT_HOST_PORT"] == "127.0.0.1:7077"
    assert lines["HATCHET_CLIENT_TOKEN"].startswith("ey")


def env_lines(hatchet: Hatchet) -> list[str]:
    result = hatchet("profile", "env", "local")
    assert (result.code, result.err) == (0, "")
    return result.out.splitlines()
