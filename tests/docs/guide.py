"""Guides of `docs/guides` as programs: their blocks are written and run from top to bottom.

- a `python` block begins with `# name.py`: it is that file
- a `console` block holds commands (`$ ...`) and what they print. `…` in a line stands for any
  text, a line `...` for any lines. A command that ends with `&` goes on in the background; a
  worker started again takes the place of the one before
- `text` blocks are only shown
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.processes import Program
from tests.support.server import ROOT

GUIDES = ROOT / "docs" / "guides"
SHOWN_URL = "http://127.0.0.1:8080"  # where a server listens when nothing else is said
LISTENING = r"worker \S+ joined as"
COMMAND_TIMEOUT_S = 40.0
TOOLS = ("curl", "jq")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")


class Block(NamedTuple):
    kind: str
    text: str


@dataclass
class Command:
    line: str
    expected: list[str]


def blocks(guide: Path) -> Iterator[Block]:
    for kind, text in _BLOCK.findall(guide.read_text()):
        yield Block(kind, text)


def commands(text: str) -> list[Command]:
    """The commands of a console block with what they should print."""
    found: list[Command] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ "), []))
        elif found[-1].line.count("'") % 2:  # goes on: a quote is open
            found[-1].line += line.strip()
        else:
            found[-1].expected.append(line)
    return found


def missing_tools(guide: Path) -> list[str]:
    """What a guide uses and this machine lacks."""
    used = "\n".join(block.text for block in blocks(guide) if block.kind == "console")
    return [tool for tool in TOOLS if f"{tool} " in used and shutil.which(tool) is None]


class Reader:
    """Does what somebody does who follows a guide."""

    def __init__(
        self, start: Callable[..., Program], url: str, environ: Mapping[str, str], directory: Path
    ) -> None:
        self._start = start
        self._url = url
        path = f"{Path(sys.executable).parent}:{environ['PATH']}"
        self._environ = {**environ, "PATH": path}
        self._directory = directory
        self._settings: list[str] = []
        self._background: dict[str, Program] = {}

    def follow(self, guide: Path) -> None:
        for block in blocks(guide):
            if block.kind == "python":
                self._write(block.text)
            elif block.kind == "console":
                for command in commands(block.text):
                    self._do(command)
            else:
                assert block.kind == "text", f"nobody tests a block of {block.kind!r}"

    def _write(self, text: str) -> None:
        match = _FILE.match(text)
        assert match, f"a block says no file: {text.splitlines()[0]}"
        (self._directory / match[1]).write_text(text[match.end() :])

    def _do(self, command: Command) -> None:
        line = command.line.replace(SHOWN_URL, self._url)
        if line.startswith(("export ", "eval ")):
            self._settings.append(line)
        elif line.endswith(" &"):
            self._work(line.removesuffix(" &"))
        else:
            self._check(line, command.expected)

    def _work(self, line: str) -> None:
        earlier = self._background.pop(line, None)
        if earlier is not None:
            earlier.terminate()
            assert earlier.wait() == 0
        self._background[line] = self._run(f"exec {line}")
        self._background[line].wait_for_line(LISTENING)

    def _check(self, line: str, expected: list[str]) -> None:
        program = self._run(line)
        code = program.wait(COMMAND_TIMEOUT_S)
        printed = [text.rstrip() for text in program.lines()]
        assert code == 0, "\n".join([line, *printed])
        assert matches(printed, expected), "\n".join(
            [f"$ {line}", *printed, "--- but the guide says", *expected]
        )

    def _run(self, line: str) -> Program:
        script = "\n".join([*self._settings, line])
        return self._start(line, ["bash", "-c", script], environ=self._environ, cwd=self._directory)


def matches(printed: list[str], expected: list[str]) -> bool:
    """Whether the lines are those that a guide shows.

    >>> matches(["a 1", "b", "c"], ["a …", "...", "c"]), matches(["a", "b"], ["a"])
    (True, False)
    """
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in expected
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None
