"""The serialization context, by which validators and serializers of users know who calls them."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

HATCHET_PYDANTIC_SENTINEL: Mapping[str, Any] = MappingProxyType(
    {"is_hatchet_serialization_context": True}
)


def is_in_hatchet_serialization_context(context: object) -> bool:
    """Whether a pydantic validator or serializer runs on behalf of Hatchet.

    @field_serializer("secret")
    def hide(self, value: str, info: FieldSerializationInfo) -> str:
        return encrypt(value) if is_in_hatchet_serialization_context(info.context) else value
    """
    return context == HATCHET_PYDANTIC_SENTINEL


def remove_null_unicode_character(data: T, replacement: str = "") -> T:
    """Remove the null character, which Postgres cannot store, from texts inside `data`.

    Goes through str, dict (keys too), list and tuple; anything else is returned as it is.
    """
    return _clean(data, replacement)  # type: ignore[no-any-return]


def _clean(data: Any, replacement: str) -> Any:
    if isinstance(data, str):
        return data.replace("\0", replacement)
    if isinstance(data, dict):
        return {_clean(k, replacement): _clean(v, replacement) for k, v in data.items()}
    if isinstance(data, list):
        return [_clean(item, replacement) for item in data]
    if isinstance(data, tuple):
        return tuple(_clean(item, replacement) for item in data)
    return data


_ESCAPED_NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def has_escaped_null(json_text: str) -> bool:
    """Whether JSON text holds the null character (not the six characters that spell it)."""
    return "\\u0000" in json_text and _ESCAPED_NULL.search(json_text) is not None
