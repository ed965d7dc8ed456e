"""Settings from the environment and from dotenv files.

Environment wins over files; of the files the later one wins: `.env`, `.env.hatchet`, `.env.dev`,
`.env.local`, all in the current directory. Names are compared without case.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

DOTENV_FILES = (".env", ".env.hatchet", ".env.dev", ".env.local")
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
        (?:'(?P<raw>[^']*)'|"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>[^#\n]*?))[ \t]*(?:\#.*)?$""",
    re.VERBOSE | re.MULTILINE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(text: str) -> dict[str, str]:
    """The assignments of a dotenv file: `KEY=value`, quotes, `export`, comments.

    >>> parse_dotenv("export A='x y' # why\\nB=2")
    {'A': 'x y', 'B': '2'}
    """
    values: dict[str, str] = {}
    for match in _LINE.finditer(text):
        if match["raw"] is not None:
            value = match["raw"]
        elif match["quoted"] is not None:
            value = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), match["quoted"])
        else:
            value = match["bare"]
        values[match["key"]] = value
    return values


def read_environment(
    environ: Mapping[str, str] | None = None, directory: str | Path = "."
) -> dict[str, str]:
    """All settings by upper-case name, environment over dotenv files."""
    values: dict[str, str] = {}
    for name in DOTENV_FILES:
        path = Path(directory, name)
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
            continue
        values.update({key.upper(): value for key, value in parse_dotenv(text).items()})
    source = os.environ if environ is None else environ
    values.update({key.upper(): value for key, value in source.items()})
    return values
