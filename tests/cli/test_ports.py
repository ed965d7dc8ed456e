"""A taken port is found before anything starts, and the message names the flag."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatchet_cli.output import CommandError
from hatchet_cli.ports import check_port, suggest_port
from tests.cli.conftest import Hatchet


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_taken_port_names_flag_variable_and_owner(taken_port: int) -> None:
    with pytest.raises(CommandError) as caught:
        check_port("127.0.0.1", taken_port, "--http-port")
    assert f"port {taken_port} on 127.0.0.1 is taken" in str(caught.value)
    assert f"process {os.getpid()}" in str(caught.value)
    assert "--http-port" in str(caught.value)
    assert "HATCHET_HTTP_PORT" in (caught.value.hint or "")


def test_free_port_and_any_port_are_fine(taken_port: int) -> None:
    check_port("127.0.0.1", 0, "--http-port")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    check_port("127.0.0.1", port, "--http-port")


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_host_that_is_not_ours_names_its_flag(host: str) -> None:
    with pytest.raises(CommandError, match="--host"):
        check_port(host, 9, "--grpc-port")


def test_suggestion_stays_inside_the_range() -> None:
    assert suggest_port(8080) == 8090
    assert suggest_port(65_535) == 65_525


@pytest.mark.parametrize("command", ["server", "demo"])
@pytest.mark.parametrize(
    ("flag", "other"), [("--http-port", "--grpc-port"), ("--grpc-port", "--http-port")]
)
def test_commands_refuse_a_taken_port(
    command: str, flag: str, other: str, taken_port: int, hatchet: Hatchet, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    result = hatchet(command, flag, str(taken_port), other, "0", "--data-dir", str(data_dir))

    assert result.code == 1
    assert f"port {taken_port}" in result.err
    assert flag in result.err
    assert not data_dir.exists(), "nothing may have been started"


def test_wrong_setting_names_its_variable(
    hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCHET_RETENTION_DAYS", "never")
    result = hatchet("server")
    assert result.code == 2
    assert "HATCHET_RETENTION_DAYS" in result.err


def test_same_port_twice_is_refused(hatchet: Hatchet) -> None:
    result = hatchet("server", "--http-port", "9000", "--grpc-port", "9000")
    assert result.code == 2
    assert "--grpc-port" in result.err
