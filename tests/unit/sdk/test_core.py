"""Codecs, error texts, durations, names, chunks: no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hatchet import (
    EmptyModel,
    FailedTaskRunExceptionGroup,
    IllegalTaskOutputError,
    RetryAfterException,
    TaskRunError,
    remove_null_unicode_character,
)
from hatchet._core.chunks import chunked
from hatchet._core.codec import Codec, write_input, write_output
from hatchet._core.durations import parse_duration, timedelta_to_expr, to_ms
from hatchet._core.naming import apply_namespace, normalize_namespace
from hatchet._core.outcome import check, outputs
from hatchet._core.session import COMPLETED, FAILED, RunOutcome, TaskOutcome


class Model(BaseModel):
    a: int = 1


@dataclass
class Data:
    a: int = 1


@pytest.mark.parametrize(
    ("declared", "returned", "json"),
    [
        (None, None, ""),
        (Model, None, ""),
        (None, {}, ""),
        (None, 0, ""),
        (None, "", ""),
        (None, [], ""),
        (None, {"a": 1}, '{"a":1}'),
        (dict[str, int], {"a": 1}, '{"a":1}'),
        (Model, Model(a=2), '{"a":2}'),
        (None, Model(a=2), '{"a":2}'),
        (dict, Model(a=2), '{"a":2}'),
        (Data, Data(2), '{"a":2}'),
        (None, Data(2), '{"a":2}'),
        (Model, {"b": 1}, '{"b":1}'),
        (None, {"m": Model(), "id": UUID(int=0)}, None),
        (None, {"text": "\\u0000"}, '{"text":"\\\\u0000"}'),
    ],
)
def test_outputs(declared: Any, returned: Any, json: str | None) -> None:
    text = write_output(Codec(declared), returned)
    if json is not None:
        assert text == json
    else:
        assert text == '{"m":{"a":1},"id":"00000000-0000-0000-0000-000000000000"}'


@pytest.mark.parametrize("returned", ["x", 1, [1], {1}, object(), {"a": object()}, {"a": "\0"}])
def test_outputs_that_cannot_be_stored(returned: Any) -> None:
    with pytest.raises(IllegalTaskOutputError):
        write_output(Codec(None), returned)


def test_inputs() -> None:
    assert write_input(Codec(Model), None) == ""
    assert write_input(Codec(dict), {}) == ""
    assert write_input(Codec(None), EmptyModel()) == "{}"
    # No validator, or another model: still nothing is lost.
    assert write_input(Codec(None), Model(a=3)) == '{"a":3}'
    assert write_input(Codec(Model), EmptyModel(z=1)) == '{"z":1}'  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="not list"):
        write_input(Codec(None), [1])
    assert remove_null_unicode_character({"a\0": ["\0b", ("c\0",), 1]}) == {"a": ["b", ("c",), 1]}


@given(st.text(), st.text(min_size=1, alphabet=st.characters(exclude_characters="\n\0")))
def test_error_text_round_trip(message: str, kind: str) -> None:
    message = message.replace("\0", "").replace("\\\n", "")
    if message.endswith("\\"):
        return
    error = TaskRunError(message or "m", kind.strip() or "K", "trace\nlines", "some-id")
    back = TaskRunError.deserialize(error.serialize(include_metadata=True))
    assert (back.exc, back.exc_type) == (error.exc, error.exc_type)
    assert (back.trace, back.task_run_external_id) == ("trace\nlines", "some-id")


def test_error_text_is_that_of_the_official_sdk() -> None:
    error = TaskRunError("a\nb: c", "My: Error", "Traceback\n  line", "id-1")
    assert error.serialize(include_metadata=True) == (
        "My:::Error: a\\\nb: c\nTraceback\n  line\n\n"
        '{"__hatchet_error_metadata__": {"task_run_external_id": "id-1"}}'
    )


@pytest.mark.parametrize(
    "text", ["", "plain", "5", "true", "null", "two\nlines", '{"message": "m"}', "Task exceeded: 5"]
)
def test_error_texts_of_others(text: str) -> None:
    error = TaskRunError.deserialize(text)
    assert (error.exc, error.exc_type) == (text, "HatchetError")


def test_failed_runs() -> None:
    run = RunOutcome(
        FAILED,
        (
            TaskOutcome(bytes(16), "good", COMPLETED, "{}", ""),
            TaskOutcome(bytes(16), "bad", FAILED, "", "scheduling timed out"),
        ),
    )
    with pytest.raises(FailedTaskRunExceptionGroup, match="scheduling timed out") as caught:
        check("run-1", run)
    (error,) = caught.value.exceptions
    assert error.task_run_external_id == str(UUID(int=0))
    done = run._replace(status=COMPLETED)
    check("run-1", done)
    assert outputs(done) == {"good": {}}


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=2), "2h"),
        (timedelta(minutes=5), "5m"),
        (timedelta(seconds=61), "61s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(microseconds=1500), "1.500ms"),
        (timedelta(seconds=-5), "-5s"),
        ("as given", "as given"),
    ],
)
def test_duration_texts(duration: timedelta | str, text: str) -> None:
    assert timedelta_to_expr(duration) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_durations_survive(duration: timedelta) -> None:
    assert parse_duration(timedelta_to_expr(duration)) == duration


def test_durations() -> None:
    assert parse_duration("1h30m") == timedelta(minutes=90)
    assert to_ms(timedelta(microseconds=1)) == 1
    for wrong in ("", "5", "5 s", "s", "1x", "1h-"):
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(wrong)
    assert RetryAfterException(after=timedelta(microseconds=1500)).after_ms == 2
    with pytest.raises(ValueError, match="negative"):
        RetryAfterException(after=timedelta(seconds=-1))


def test_names() -> None:
    assert [normalize_namespace(n) for n in ("", "Dev", "dev_")] == ["", "dev_", "dev_"]
    assert apply_namespace("a", "dev_") == apply_namespace("dev_a", "dev_") == "dev_a"


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(10, 60), st.integers(1, 10))
def test_chunks(sizes: list[int], max_bytes: int, max_items: int) -> None:
    chunks = list(chunked([(size, size) for size in sizes], max_bytes, max_items))
    assert [size for chunk in chunks for size in chunk] == sizes
    assert all(len(chunk) <= max_items for chunk in chunks)
    assert all(sum(chunk) <= max_bytes or len(chunk) == 1 for chunk in chunks)
