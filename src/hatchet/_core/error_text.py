"""The text of a failed task, in the form that the official SDK writes and reads.

<ExcType>: <message>          newlines of the message as backslash + newline,
<traceback>                   `: ` inside the type as `:::`
                              (an empty line)
{"__hatchet_error_metadata__": {"task_run_external_id": "<id>"}}
"""

import json
import re
import traceback

METADATA_KEY = "__hatchet_error_metadata__"
FOREIGN_TYPE = "HatchetError"
LONGEST_PART = 100_000
_HEAD = re.compile(r"(?P<type>[^\n]+?): (?P<message>(?:\\\n|[^\n])*)(?:\n(?P<trace>.*))?\Z", re.S)


def write(exc_type: str, message: str, trace: str, task_run_id: str | None) -> str:
    """The text for one failure. Without a task id the metadata line is left out.

    >>> write("ValueError", "a\\nb", "trace", None)
    'ValueError: a\\\\\\nb\\ntrace'
    """
    message, trace = _storable(message), _storable(trace)
    head = f"{exc_type.replace(': ', ':::')}: {message.replace(chr(10), chr(92) + chr(10))}"
    body = f"{head}\n{trace}"
    if task_run_id is None:
        return body
    return f"{body}\n\n{json.dumps({METADATA_KEY: {'task_run_external_id': task_run_id}})}"


def _storable(text: str) -> str:
    """Without the null character, and not longer than is useful: the middle is left out."""
    text = text.replace("\0", "\\x00")
    if len(text) <= LONGEST_PART:
        return text
    half = LONGEST_PART // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}... {left_out:,} characters left out ...{text[-half:]}"


def write_exception(exc: BaseException, task_run_id: str | None) -> str:
    """The text for an exception just caught, with its traceback."""
    trace = "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
    return write(type(exc).__name__, str(exc), trace, task_run_id)


def read(text: str) -> tuple[str, str, str, str | None]:
    """`(exc_type, message, trace, task_run_id)`.

    Text of other origin (the engine, another SDK, a plain sentence) is the message of a
    `HatchetError`.
    """
    body, task_run_id = _split_metadata(text)
    match = _HEAD.match(body)
    if match is None or (task_run_id is None and not match["trace"]):
        return FOREIGN_TYPE, text, "", task_run_id
    message = match["message"].replace("\\\n", "\n")
    return match["type"].replace(":::", ": "), message, match["trace"] or "", task_run_id


def _split_metadata(text: str) -> tuple[str, str | None]:
    body, _, last = text.strip().rpartition("\n")
    if METADATA_KEY not in last:
        return text, None
    try:
        value = json.loads(last)
    except ValueError:
        return text, None
    metadata = value.get(METADATA_KEY) if isinstance(value, dict) else None
    if not isinstance(metadata, dict):
        return text, None
    task_run_id = metadata.get("task_run_external_id")
    return body.rstrip("\n"), task_run_id if isinstance(task_run_id, str) else None
