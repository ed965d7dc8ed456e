"""Runs the programs of `examples/`: a worker, then the program that uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.processes import Program
from tests.wire.sdks import Client

START_TIMEOUT_S = 40.0
SDK_LOG = "🪓"  # in every line that an official SDK logs


def start_worker(
    start_program: Callable[..., Program],
    client: Client,
    command: Sequence[str | Path],
    name: str,
    environ: Mapping[str, str],
    directory: Path,
) -> Program:
    """A worker of an example, listening; `name` is the one it is listed under."""
    before = {one["id"] for one in client.call("workers")}  # one may go by the same name
    worker = start_program(name, command, environ=environ, cwd=directory)
    client.wait_until(
        lambda: [
            (one["name"], one["status"])
            for one in client.call("workers")
            if one["id"] not in before
        ],
        lambda found: (name, "ACTIVE") in found,
        f"{name} is active",
        timeout_s=START_TIMEOUT_S,
    )
    return worker


def printed(program: Program) -> list[str]:
    """What the program has printed by its good end, without empty lines and the SDK's own log."""
    assert program.wait() == 0, program.lines()
    return [line.strip() for line in program.lines() if line.strip() and SDK_LOG not in line]


def assert_lines(program: Program, patterns: Sequence[str]) -> None:
    """It ends well and has printed these lines, in this order and no others."""
    lines = printed(program)
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}"
