"""Settings: where values come from, what is refused and how the text helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatchet_engine.app.settings import Settings, SettingsError, env_name


def test_defaults_suit_a_local_server() -> None:
    settings = Settings.load({})

    assert (settings.host, settings.http_port, settings.grpc_port) == ("127.0.0.1", 8080, 7077)
    assert settings.embedded
    assert settings.data_dir.is_absolute()


def test_environment_is_read_and_flags_win() -> None:
    environ = {
        "HATCHET_HTTP_PORT": "9000",
        "HATCHET_GRPC_PORT": "9001",
        "HATCHET_LOG_LEVEL": "INFO",
    }

    settings = Settings.load(environ, grpc_port=9002, host=None)

    assert (settings.http_port, settings.grpc_port) == (9000, 9002)
    assert settings.host == "127.0.0.1"
    assert settings.log_level == "info"


def test_empty_variable_counts_as_unset() -> None:
    assert Settings.load({"HATCHET_DATABASE_URL": "", "HATCHET_HTTP_PORT": ""}).embedded


def test_data_dir_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load({"HATCHET_DATA_DIR": "~/data"}).data_dir == tmp_path / "data"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HATCHET_HTTP_PORT": "eighty"}, r"HATCHET_HTTP_PORT \(--http-port\): should be a valid"),
        ({"HATCHET_HTTP_PORT": "70000"}, r"HATCHET_HTTP_PORT .*less than or equal to 65535"),
        ({"HATCHET_GRPC_PORT": "-1"}, r"HATCHET_GRPC_PORT .*greater than or equal to 0"),
        ({"HATCHET_DATABASE_URL": "mysql://x"}, r"HATCHET_DATABASE_URL .*postgresql://USER"),
        ({"HATCHET_SERVER_URL": "localhost"}, r"HATCHET_SERVER_URL .*http://"),
        ({"HATCHET_GRPC_BROADCAST_ADDRESS": "example"}, r"HOST:PORT"),
        ({"HATCHET_LOG_LEVEL": "loud"}, r"HATCHET_LOG_LEVEL .*'debug', 'info'"),
        ({"HATCHET_TLS_CERT_FILE": "/c.pem"}, r"HATCHET_TLS_KEY_FILE go together"),
        ({"HATCHET_TLS_CLIENT_CA_FILE": "/c.pem"}, r"needs HATCHET_TLS_CERT_FILE"),
        ({"HATCHET_HTTP_PORT": "7077"}, r"both 7077: choose two ports"),
        ({"HATCHET_RETENTION_DAYS": "0"}, r"HATCHET_RETENTION_DAYS"),
    ],
)
def test_refused_values_name_variable_and_remedy(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        Settings.load(environ)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"HATCHET_HTTP_PORT": "x", "HATCHET_GRPC_PORT": "y"})
    assert len(str(caught.value).splitlines()) == 2


def test_values_are_not_shown_because_they_may_be_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"HATCHET_DATABASE_URL": "mysql://user:secret@host/db"})
    assert "secret" not in str(caught.value)


def test_unknown_override_is_refused() -> None:
    with pytest.raises(SettingsError, match="no setting 'htpp_port'"):
        Settings.load({}, htpp_port=1)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://localhost:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_public_addresses_follow_host(host: str, expected: str) -> None:
    settings = Settings.load({}, host=host)
    assert settings.public_server_url(8080) == expected
    assert settings.public_grpc_address(7077) == expected.removeprefix("http://").replace(
        "8080", "7077"
    )


def test_public_addresses_can_be_set() -> None:
    settings = Settings.load(
        {}, server_url="https://jobs.example/", grpc_broadcast_address="jobs.example:443"
    )
    assert settings.public_server_url(1) == "https://jobs.example"
    assert settings.public_grpc_address(1) == "jobs.example:443"


def test_every_setting_has_a_meaning_and_a_name_with_its_unit() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert env_name(name) == f"HATCHET_{name.upper()}"
        if field.annotation is float:
            assert name.endswith("_s"), f"{name}: the unit is missing"
