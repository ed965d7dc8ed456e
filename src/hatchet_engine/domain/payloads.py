"""What JSON may enter: objects for inputs and metadata, any JSON for outputs (TR-3, RT-11)."""

from __future__ import annotations

import orjson

from hatchet_engine.domain.errors import invalid

EMPTY_OBJECT = "{}"


def check_object(text: str, field: str, bytes_max: int, *, index: int = 0) -> str:
    """Return the JSON object text to store ("" becomes {}), or raise ``Refused``.

    The bytes stay as sent: no re-encoding, so big integers and key order survive (TR-3b).
    """
    if not text or text == EMPTY_OBJECT:
        return EMPTY_OBJECT
    _check_size(text, field, bytes_max, index)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"{field}: is not valid JSON: {error}", field=field, index=index) from None
    if type(value) is not dict:
        raise invalid(
            f"{field}: must be a JSON object, not {_kind(value)}", field=field, index=index
        )
    if "\\u0000" in text and has_nul_escape(text):
        raise invalid(
            f"{field}: holds the null character (\\u0000), which Postgres can't store; remove it",
            field=field,
            index=index,
        )
    return text


def output_problem(text: str, bytes_max: int) -> str | None:
    """Why this output can't be stored, or None when it can (RT-11, RT-12)."""
    if not text:
        return None
    if len(text) > bytes_max // 4:
        size = _size(text)
        if size > bytes_max:
            return f"the output is {size} bytes long, the limit is {bytes_max}"
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"the output is not valid JSON: {error}"
    if "\\u0000" in text and has_nul_escape(text):
        return "the output holds the null character (\\u0000), which can't be stored"
    return None


def clean_error(text: str) -> str:
    """Error text that Postgres can store; never rewritten otherwise (RT-13)."""
    if "\x00" in text:
        return (
            "The task failed with an error text that can't be stored: it holds the null character."
        )
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return (
                "The task failed with an error text that can't be stored: it is not valid Unicode."
            )
    return text


def has_nul_escape(text: str) -> bool:
    """Whether JSON text has an escape of the null character (``\\\\u0000`` is none)."""
    at = text.find("\\u0000")
    while at >= 0:
        before = at
        while before > 0 and text[before - 1] == "\\":
            before -= 1
        if (at - before) % 2 == 0:
            return True
        at = text.find("\\u0000", at + 6)
    return False


def _check_size(text: str, field: str, bytes_max: int, index: int) -> None:
    # A character is at most 4 bytes, so short texts need no counting.
    if len(text) <= bytes_max // 4:
        return
    size = _size(text)
    if size > bytes_max:
        raise invalid(
            f"{field}: is {size} bytes long, the limit is {bytes_max}; store large data elsewhere "
            "and pass a reference",
            field=field,
            index=index,
        )


def _size(text: str) -> int:
    """Bytes of the text as UTF-8; half characters, which the JSON check refuses, count too."""
    return len(text.encode("utf-8", "surrogatepass"))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {list: "an array", str: "a string", bool: "a boolean"}.get(type(value), "a number")
