"""Which JSON may enter (TR-3, RT-11)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.payloads import (
    check_object,
    clean_error,
    has_nul_escape,
    output_problem,
)

BIG = 1_000_000


@pytest.mark.parametrize("backslashes", range(1, 9))
def test_null_escape_depends_on_the_number_of_backslashes(backslashes: int) -> None:
    """Odd: the last one escapes. Even: they are backslashes, and u0000 is text."""
    text = '{"a":"x' + "\\" * backslashes + 'u0000"}'
    assert has_nul_escape(text) is (backslashes % 2 == 1)
    assert has_nul_escape(text) is ("\x00" in json.loads(text)["a"])


@given(st.text(alphabet=["\\", "u", "0", '"', "a", "\x00", "é", "\n"], max_size=30))
def test_null_escape_is_found_exactly_when_it_is_there(value: str) -> None:
    """Against Python's own reading of the text, in keys and in values."""
    assert has_nul_escape(json.dumps({"k": value})) is ("\x00" in value)
    assert has_nul_escape(json.dumps({value: 1})) is ("\x00" in value)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_every_object_enters_byte_for_byte(value: dict[str, object]) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert check_object(text, "input", BIG) == text
        assert output_problem(text, BIG) is None


@pytest.mark.parametrize("text", ["", "{}"])
def test_empty_is_an_empty_object(text: str) -> None:
    assert check_object(text, "input", 1) == "{}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "must be a JSON object, not an array"),
        ('"a"', "not a string"),
        ("1", "not a number"),
        ("1.5", "not a number"),
        ("true", "not a boolean"),
        ("null", "not null"),
        ("{", "is not valid JSON"),
        ("{'a':1}", "is not valid JSON"),
        ('{"a":NaN}', "is not valid JSON"),
        ('{"a":Infinity}', "is not valid JSON"),
        ('{"a":1e400}', "is not valid JSON"),
        ('{"a":"\\ud800"}', "is not valid JSON"),
        ('{"a":"\ud800"}', "is not valid JSON"),
        ('{"a":"\x00"}', "is not valid JSON"),
        ('{"a":"\n"}', "is not valid JSON"),
        ('{"a":"\\u0000"}', "null character"),
        ('{"\\u0000":1}', "null character"),
    ],
)
def test_bad_text_is_refused_with_field_and_item(text: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        check_object(text, "input", BIG, index=3)
    refused = caught.value
    assert (refused.code, refused.field, refused.index) == (Code.INVALID_ARGUMENT, "input", 3)
    assert refused.message.startswith("input: ")
    assert words in refused.message


@pytest.mark.parametrize("letter", ["x", "é", "€", "\U0001f600"])
@pytest.mark.parametrize("count", [1, 10, 25, 26, 100])
def test_size_counts_bytes_and_the_limit_itself_fits(letter: str, count: int) -> None:
    text = '{"a":"' + letter * count + '"}'
    size = len(text.encode())
    assert check_object(text, "input", size) == text
    assert output_problem(text, size) is None
    with pytest.raises(Refused, match=f"is {size} bytes long, the limit is {size - 1}"):
        check_object(text, "input", size - 1)
    assert output_problem(text, size - 1) == (
        f"the output is {size} bytes long, the limit is {size - 1}"
    )


def test_half_character_in_a_large_text_is_bad_json_not_a_crash() -> None:
    text = '{"a":"' + "x" * 100 + '\ud800"}'
    with pytest.raises(Refused, match="not valid JSON"):
        check_object(text, "input", 120)
    assert "not valid JSON" in (output_problem(text, 120) or "")


@pytest.mark.parametrize("text", ["", "null", "0", '"x"', "[1]", "{}", "false"])
def test_rt_12_any_json_or_nothing_is_an_output(text: str) -> None:
    assert output_problem(text, BIG) is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_rt_13_error_text_is_never_rewritten(text: str) -> None:
    assert clean_error(text) is text


@given(st.text(), st.sampled_from(["\x00", "\ud800"]), st.text())
def test_rt_11_error_text_that_cannot_be_stored_is_replaced(
    before: str, bad: str, after: str
) -> None:
    cleaned = clean_error(before + bad + after)
    assert "can't be stored" in cleaned
    assert cleaned.isascii()
