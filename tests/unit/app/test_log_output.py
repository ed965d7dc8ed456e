"""The log of the server: one form for our lines and those of libraries."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
import structlog

from hatchet_engine.app.log_output import configure_logging
from hatchet_engine.app.settings import Settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_json_lines_from_us_and_from_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings.load({}, log_format="json"))

    structlog.get_logger("ours").info("shard_owned", epoch=3)
    logging.getLogger("library").warning("careful: %s", "x")
    logging.getLogger("library").info("not shown")

    ours, library = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["epoch"], ours["level"]) == ("shard_owned", 3, "info")
    assert (library["event"], library["logger"]) == ("careful: x", "library")
    assert ours["timestamp"].endswith("Z")


def test_level_is_respected(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings.load({}, log_level="error", log_format="console"))
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud", reason="a test")
    err = capsys.readouterr().err
    assert "quiet" not in err
    assert "loud" in err
    assert "reason=a test" in err or "reason='a test'" in err


def test_exceptions_are_part_of_the_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings.load({}, log_format="json"))
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("turn_failed")
    line = json.loads(capsys.readouterr().err)
    assert "ValueError: broken" in line["exception"]


@pytest.mark.parametrize("closed", [False, True], ids=["nobody reads", "closed"])
def test_a_log_that_nobody_reads_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stderr = os.fdopen(writer, "w", buffering=1)
    monkeypatch.setattr(sys, "stderr", stderr)
    configure_logging(Settings.load({}, log_format="json"))
    if closed:
        with suppress(OSError):
            stderr.close()
    for _ in range(2):
        structlog.get_logger().error("embedded_postgres_died", text="x" * 100_000)
        logging.getLogger("library").warning("careful")
    with suppress(OSError):
        stderr.close()
