"""How the command line speaks: results on standard output, everything else on standard error.

With `--json` a result is exactly one JSON document, so that it can be piped into other programs.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

EXIT_PROBLEM = 1
EXIT_USAGE = 2
# As shells do: 128 + SIGINT.
EXIT_INTERRUPTED = 130

STATUS_STYLES = {
    "COMPLETED": "green",
    "SKIPPED": "dim",
    "FAILED": "red",
    "CANCELLED": "yellow",
    "RUNNING": "cyan",
    "QUEUED": "dim",
    "ACTIVE": "green",
    "INACTIVE": "dim",
    "PAUSED": "yellow",
}

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and no tables.")]


class CommandError(Exception):
    """Something the user can act on: shown as one message, never as a traceback."""

    def __init__(self, message: str, *, hint: str | None = None, code: int = EXIT_PROBLEM) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


CUT_COLUMNS = ("error", "description", "payload")
CUT_WIDTH_MIN = 20
COLUMN_GAP = "  "


def errors() -> Console:
    """Standard error, for people."""
    return Console(stderr=True, highlight=False)


def print_problem(problem: CommandError) -> None:
    """Show a problem and its remedy on standard error."""
    console = errors()
    console.print(f"[bold red]error:[/] {escape(str(problem))}", soft_wrap=True)
    if problem.hint:
        console.print(f"[dim]try:[/]   {escape(problem.hint)}", soft_wrap=True)


def note(text: str) -> None:
    """One line for people, on standard error."""
    errors().print(escape(text), soft_wrap=True)


def print_plain(text: str) -> None:
    """One line of result, as it is."""
    sys.stdout.write(text + "\n")


def print_json(value: object) -> None:
    """The result as one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """The result as a table; `empty` is said when there are no rows."""
    if not rows:
        note(empty)
        return
    headers, rows = _without_empty_columns(headers, rows)
    console = Console(highlight=False)
    least = _width(headers, rows, cut=console.is_terminal)
    if console.width < least:
        console.width = least
    console.print(make_table(headers, rows))


def _without_empty_columns(
    headers: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    """Long texts are rare: where no row has one, its column only takes room."""
    kept = [
        number
        for number, header in enumerate(headers)
        if header not in CUT_COLUMNS or any(row[number] for row in rows)
    ]
    return [headers[number] for number in kept], [[row[number] for number in kept] for row in rows]


def _width(headers: Sequence[str], rows: Sequence[Sequence[object]], *, cut: bool) -> int:
    """Columns a terminal must have to show all cells whole, or with ``cut`` all but long texts.

    A narrower one breaks the lines, which is ugly; but cut ids would be useless.
    """
    width = len(COLUMN_GAP) * (len(headers) - 1)
    for number, header in enumerate(headers):
        cells = (Text.from_markup(cell(row[number])).cell_len for row in rows)
        longest = max((len(header), *cells))
        width += min(longest, CUT_WIDTH_MIN) if cut and header in CUT_COLUMNS else longest
    return width


def _one_line(value: object) -> Text:
    text = Text.from_markup(cell(value), overflow="ellipsis")
    text.no_wrap = True
    return text


def make_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Cells stay whole, so that ids can be copied; only long texts such as errors are cut."""
    table = Table(box=None, pad_edge=False, padding=(0, len(COLUMN_GAP), 0, 0), header_style="bold")
    for header in headers:
        # Only columns that may shrink give way in a narrow terminal; their cells stay one line.
        table.add_column(Text(header, no_wrap=True), no_wrap=header not in CUT_COLUMNS)
    for row in rows:
        table.add_row(
            *(
                _one_line(value) if header in CUT_COLUMNS else cell(value)
                for header, value in zip(headers, row, strict=True)
            )
        )
    return table


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """The result as lines of name and value; those without a value are left out."""
    rows = [(name, value) for name, value in fields if value not in (None, "", {}, [])]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, cell(value))
    console = Console(highlight=False)
    if not console.is_terminal:  # what is piped is not broken into lines
        console.width = max(console.width, _width(("", ""), rows, cut=False))
    console.print(table)


def ago(timestamp: str | None) -> str:
    """A time of the API as an age: `12 s ago`."""
    moment = parse_time(timestamp)
    if moment is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def duration(milliseconds: float | None) -> str:
    """A duration for people: `340 ms`, `2.1 s`, `3 min 4 s`."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def parse_time(timestamp: str | None) -> datetime | None:
    """A time of the API; None for a missing one (also in its `0001-01-01` form)."""
    if not timestamp or timestamp.startswith("0001-"):
        return None
    # Python 3.11 reads at most microseconds.
    text = re.sub(r"(\.\d{6})\d+", r"\1", timestamp)
    return datetime.fromisoformat(text)


def cell(value: Any) -> str:
    """A value as the text of a table cell, coloured if it is a status."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return escape(json.dumps(value, ensure_ascii=False))
    text = escape(str(value))
    style = STATUS_STYLES.get(str(value))
    return f"[{style}]{text}[/]" if style else text


def print_json_line(value: object) -> None:
    """One JSON document on one line, for streams of results."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
