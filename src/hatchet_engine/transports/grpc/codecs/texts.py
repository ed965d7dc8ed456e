"""Text that ends up in JSON columns: Postgres can't hold the null character there."""

from __future__ import annotations

from typing import Any

import orjson

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.payloads import has_nul_escape


def refuse_nul(value: Any, field: str) -> None:
    """Raise ``Refused`` when a JSON-like value has the null character anywhere in its texts."""
    text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    if "\\u0000" in text and has_nul_escape(text):
        raise invalid(
            f"{field}: holds the null character (\\u0000), which can't be stored; remove it",
            field=field,
        )
