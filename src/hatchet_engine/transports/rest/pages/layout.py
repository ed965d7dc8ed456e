"""The frame and the style that all pages share; follows the reader's light or dark setting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --line: #d8dce2; --soft: #5b6472; --back: #fff; --text: #14181f;
  --accent: #2456d6; }
@media (prefers-color-scheme: dark) { :root { --line: #2b313b; --soft: #98a2b3; --back: #0f1218;
  --text: #e6e9ee; --accent: #8ab0ff; } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
p.soft, td.soft, .soft { color: var(--soft); } a { color: var(--accent); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; } td.number, th.number { text-align: right; padding-right: 0; }
code { font: 13px/1.5 ui-monospace, monospace; } details { border-bottom: 1px solid var(--line);
  padding: .4rem 0; } summary { cursor: pointer; }
"""


def page(title: str, body: str, *, refresh_s: int | None = None) -> str:
    refresh = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{refresh}<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> str:
    """A table; numbers stand at the right. ``empty`` is said when there are no rows."""
    lines = ["".join(_cell(value) for value in row) for row in rows]
    if not lines:
        return f'<p class="soft">{escape(empty)}</p>'
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"
