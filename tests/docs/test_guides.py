"""What the guides tell to type works, and prints what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.guide import GUIDES, Reader, blocks, matches, missing_tools
from tests.support.processes import Program
from tests.support.server import ROOT, Server, bare_environ

NAMES = sorted(path.name for path in GUIDES.glob("*.md"))
LENGTH_MAX = 200  # lines: a guide is read at one go


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", NAMES)
def test_guide(name: str, server: Server, tmp_path: Path) -> None:
    if missing := missing_tools(GUIDES / name):
        pytest.skip(f"needs {', '.join(missing)}")
    environ = {
        **bare_environ(),
        "HATCHET_CONFIG_DIR": str(server.directory / "config"),
        "HATCHET_DATA_DIR": str(server.data_dir),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    programs: list[Program] = []

    def start(*args: object, **options: object) -> Program:
        programs.append(Program(*args, **options))  # type: ignore[arg-type]
        return programs[-1]

    try:
        Reader(start, server.http_url, environ, tmp_path).follow(GUIDES / name)
    finally:
        for program in programs:
            program.kill()


@pytest.mark.parametrize("name", NAMES)
def test_a_guide_is_short_and_points_at_files_that_exist(name: str) -> None:
    text = (GUIDES / name).read_text()
    assert len(text.splitlines()) <= LENGTH_MAX
    assert any(block.kind == "console" for block in blocks(GUIDES / name))
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (GUIDES / target).resolve().exists(), target


def test_the_readme_names_every_guide() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in NAMES if f"docs/guides/{name}" not in text] == []


@pytest.mark.parametrize(
    ("printed", "expected", "fits"),
    [
        (["a"], ["a"], True),
        (["a", "b"], ["a"], False),
        (["a"], ["a", "b"], False),
        (["run 17 ended"], ["run … ended"], True),
        (["a", "b", "c"], ["...", "c"], True),
        (["c"], ["...", "c"], True),
        (["a(b)"], ["a(b)"], True),
        (["ab"], ["a."], False),
    ],
)
def test_what_a_guide_shows(printed: list[str], expected: list[str], fits: bool) -> None:
    assert matches(printed, expected) is fits
