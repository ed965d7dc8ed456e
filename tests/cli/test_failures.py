"""How errors of runs are shown."""

from __future__ import annotations

import pytest

from hatchet._core import error_text
from hatchet_cli import failures

PYTHON = error_text.write("ValueError", "no such\nuser", "Traceback\n  line", "a-b")
TYPESCRIPT = '{"message":"no such user","stack":"Error: no such user\\n  at x"}'


@pytest.mark.parametrize(
    ("text", "brief"),
    [
        (PYTHON, "ValueError: no such"),
        (TYPESCRIPT, "no such user"),
        ('"no such user"', "no such user"),
        ("Task exceeded timeout of 5s", "Task exceeded timeout of 5s"),
        ("", ""),
        (None, ""),
    ],
)
def test_brief_is_one_line_of_kind_and_message(text: str | None, brief: str) -> None:
    assert failures.brief(text) == brief


def test_full_has_the_traceback_and_no_bookkeeping() -> None:
    assert failures.full(PYTHON) == "ValueError: no such\nuser\n\nTraceback\n  line"
    assert failures.full(TYPESCRIPT) == "no such user\n\nError: no such user\n  at x"
    assert failures.full("plain") == "plain"
