"""Configuration: keyword, environment, dotenv, profile, token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hatchet import ClientConfig, ClientTLSConfig, Hatchet, HealthcheckConfig
from hatchet._core.environment import parse_dotenv

from .fake_engine import make_token

TOKEN = make_token("engine:7077", "https://engine:8080/")


@pytest.fixture(autouse=True)
def empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_the_token() -> None:
    config = ClientConfig(token=TOKEN)
    assert config.host_port == "engine:7077"
    assert config.server_url == "https://engine:8080"
    assert config.tenant_id == "707d0855-80ab-4e1f-a156-f1c4546cbf52"
    assert (config.tls_config.strategy, config.tls_config.server_name) == ("tls", "engine")
    plain = ClientConfig(token=make_token("[::1]:7077", "http://[::1]:8080"))
    assert (plain.tls_config.strategy, plain.tls_config.server_name) == ("none", "::1")


def test_order_of_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HATCHET_CLIENT_NAMESPACE=file\nHATCHET_CLIENT_DEBUG=true\n")
    (tmp_path / ".env.local").write_text("hatchet_client_namespace='local'")
    monkeypatch.setenv("HATCHET_CLIENT_TOKEN", TOKEN)
    assert ClientConfig().namespace == "local_"
    monkeypatch.setenv("hatchet_client_NAMESPACE", "Env")
    assert ClientConfig().namespace == "env_"
    assert ClientConfig(namespace="Keyword").namespace == "keyword_"
    assert ClientConfig().debug
    monkeypatch.setenv("HATCHET_CLIENT_HOST_PORT", "other:1")
    assert ClientConfig().host_port == "other:1"
    assert Hatchet().namespace == "env_"


def test_nested_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCHET_CLIENT_TLS_STRATEGY", "none")
    monkeypatch.setenv("HATCHET_CLIENT_WORKER_HEALTHCHECK_ENABLED", "yes")
    monkeypatch.setenv("HATCHET_CLIENT_WORKER_HEALTHCHECK_EVENT_LOOP_BLOCK_THRESHOLD_SECONDS", "2s")
    monkeypatch.setenv("HATCHET_CLIENT_WORKER_HEALTHCHECK_BIND_ADDRESS", "none")
    monkeypatch.setenv("HATCHET_CLIENT_WORKER_PRESET_LABELS", '{"a": "1"}')
    monkeypatch.setenv("HATCHET_CLIENT_TENACITY_RETRY_TRANSPORT_METHODS", '["GET", "PUT"]')
    config = ClientConfig(token=TOKEN)
    assert config.tls_config.strategy == "none"
    assert config.healthcheck.enabled
    assert config.healthcheck.event_loop_block_threshold_seconds == timedelta(seconds=2)
    assert config.healthcheck.bind_address is None
    assert config.worker_preset_labels == {"a": "1"}
    assert config.tenacity.retry_transport_methods == ["GET", "PUT"]
    monkeypatch.setenv("HATCHET_CLIENT_TLS_CONFIG", '{"strategy": "mtls"}')
    assert ClientConfig(token=TOKEN).tls_config.strategy == "mtls"
    assert ClientConfig(token=TOKEN, tls_config=ClientTLSConfig(strategy="tls")).tls_config.strategy
    assert HealthcheckConfig(port=1).port == 1


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "HATCHET_CLIENT_TOKEN.*hatchet server"),
        ("nonsense", "must start with 'ey'"),
        ("ey.a", "3 parts"),
        ("eyJ.!!!.c", "cannot be decoded"),
        ("eyJ.e30.c", "lacks the claim 'sub'"),
    ],
)
def test_bad_tokens(token: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ClientConfig(token=token)


def test_bad_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HATCHET_CLIENT_LOG_QUEUE_SIZE", "many")
    with pytest.raises(ValueError, match="log_queue_size"):
        ClientConfig(token=TOKEN)
    monkeypatch.setenv("HATCHET_CLIENT_LOG_QUEUE_SIZE", "5")
    assert ClientConfig(token=TOKEN).log_queue_size == 5


def test_a_local_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Path(os.environ["HATCHET_CONFIG_DIR"])
    directory.mkdir(parents=True, exist_ok=True)
    profile = {
        "token": TOKEN,
        "host_port": "127.0.0.1:9",
        "server_url": "http://127.0.0.1:8",
        "tls_strategy": "none",
    }
    content = {"version": 1, "profiles": {"local": profile}}
    (directory / "profiles.json").write_text(json.dumps(content))
    config = ClientConfig()
    assert (config.host_port, config.server_url) == ("127.0.0.1:9", "http://127.0.0.1:8")
    assert config.tls_config.strategy == "none"
    monkeypatch.setenv("HATCHET_CLIENT_HOST_PORT", "other:1")
    assert ClientConfig().host_port == "other:1"
    monkeypatch.setenv("HATCHET_CLIENT_TOKEN", TOKEN)  # a token of its own: no profile
    assert ClientConfig().server_url == "https://engine:8080"


def test_dotenv_syntax() -> None:
    text = """
# a comment
A=1
export B = two words  # why
C='single # kept'
D="line\\nbreak \\"q\\""
E=
not a line
F=a=b
"""
    assert parse_dotenv(text) == {
        "A": "1",
        "B": "two words",
        "C": "single # kept",
        "D": 'line\nbreak "q"',
        "E": "",
        "F": "a=b",
    }


BUDGET = """
import sys, time
began = time.perf_counter()
from hatchet import Context, EmptyModel, Hatchet
took_ms = (time.perf_counter() - began) * 1000
heavy = [name for name in ("grpc", "google.protobuf", "http.client") if name in sys.modules]
rss_kb = int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0])
print(took_ms, rss_kb, heavy)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_importing_costs_little() -> None:
    """Generous: the real budget (250 ms, 45 MB) is watched by the benchmark."""
    done = subprocess.run(
        [sys.executable, "-c", BUDGET],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
    took_ms, rss_kb, heavy = done.stdout.strip().split(" ", 2)
    assert heavy == "[]"
    assert float(took_ms) < 1500
    assert int(rss_kb) < 45 * 1024


def test_star_import() -> None:
    names: dict[str, object] = {}
    exec("from hatchet import *", names)
    import hatchet

    assert set(hatchet.__all__) <= set(names)
    assert hatchet.__all__ == sorted(set(hatchet.__all__))
    with pytest.raises(AttributeError, match="no attribute"):
        hatchet.nothing_here  # noqa: B018
