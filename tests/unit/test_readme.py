"""The README shows the example programs as they are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_readme_shows_the_first_example_word_for_word() -> None:
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)

    assert [name for name, _ in blocks] == ["tasks.py", "worker.py", "run.py"]
    for name, shown in blocks:
        program = (ROOT / "examples" / "python" / "first" / name).read_text()
        _, _, code = program.partition('"""\n\n')
        assert shown == code, name


def test_readme_points_at_files_that_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists() or target == "docs/architecture.md", target
