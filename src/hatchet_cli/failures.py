"""Errors of runs, shown to people: without the bookkeeping that SDKs add to them."""

from __future__ import annotations

import json

from hatchet._core import error_text


def brief(text: str | None) -> str:
    """One line: the kind of error and the first line of its message.

    >>> brief("ValueError: no such user\\nTraceback ...")
    'ValueError: no such user'
    """
    kind, message, _ = _parts(text or "")
    first = message.strip().splitlines()[0] if message.strip() else ""
    return f"{kind}: {first}" if kind and first else kind or first


def full(text: str | None) -> str:
    """The whole error: kind, message and traceback."""
    kind, message, trace = _parts(text or "")
    head = f"{kind}: {message}" if kind else message
    return f"{head}\n\n{trace.strip()}" if trace.strip() else head


def _parts(text: str) -> tuple[str, str, str]:
    """Kind ("" when unknown), message, traceback; TypeScript sends JSON of message and stack."""
    kind, message, trace, _ = error_text.read(text)
    if kind != error_text.FOREIGN_TYPE:
        return kind, message, trace
    try:
        value = json.loads(text)
    except ValueError:
        return "", text, ""
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return "", value["message"], str(value.get("stack") or "")
    return ("", value, "") if isinstance(value, str) else ("", text, "")
