"""Decoding with a memory gives what decoding without one gives."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchet_engine.transports.http2.field_decoder import Table, decode_fields
from hatchet_engine.transports.http2.header_blocks import (
    MEMORY_BLOCKS,
    HeaderBlocks,
    encode_fields,
)
from hatchet_engine.transports.http2.limits import Limits
from tests.unit.http2.peer import CALL

VALUES = st.sampled_from(["a", "b", "long" * 50, "longer" * 300])
FIELDS = st.lists(
    st.tuples(st.sampled_from(["x-a", "x-b", "user-agent"]), VALUES, st.booleans()), max_size=4
)
STEPS = st.lists(st.one_of(FIELDS, st.sampled_from([0, 100, 4_096])), min_size=1, max_size=40)


def expected(fields: list[tuple[str, str, bool]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value, _ in fields:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


@given(STEPS)
@settings(deadline=None)
def test_any_sequence_of_blocks(steps: list[object]) -> None:
    """Fields that are indexed, never indexed, evicted, and tables that shrink and grow."""
    blocks, encoder = HeaderBlocks(Limits()), Encoder()
    head = [(name, value) for name, value in CALL if name[0] == ":"]
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # the same again confuses this encoder
                encoder.header_table_size = step
            continue
        assert isinstance(step, list)
        fields = [
            NeverIndexedHeaderTuple(name, value) if never else (name, value)
            for name, value, never in step
        ]
        # Twice, so that the second comes from memory where that may be.
        for _ in range(3):
            request = blocks.request(encoder.encode([*head, *fields]))
            assert request.problem is None
            assert request.fields == expected(step)


def test_repeated_blocks_are_decoded_once() -> None:
    blocks, encoder = HeaderBlocks(Limits()), Encoder()
    first = blocks.request(encoder.encode(list(CALL)))
    second = blocks.request(encoder.encode(list(CALL)))
    assert blocks.request(encoder.encode(list(CALL))) is second
    assert first is not second
    # A change of the table forgets it: the same bytes may mean something else now.
    blocks.request(encoder.encode([*CALL, ("x-new", "1")]))
    assert blocks.request(encoder.encode(list(CALL))) is not second


def test_trailers_change_the_table_too() -> None:
    blocks, encoder = HeaderBlocks(Limits()), Encoder()
    for number in range(5):
        for _ in range(2):
            assert blocks.request(encoder.encode(list(CALL))).path == "/test.Service/Unary"
        assert blocks.trailers(encoder.encode([("x-checksum", str(number))])) is None


def test_the_memory_is_bounded() -> None:
    blocks = HeaderBlocks(Limits())
    for number in range(10 * MEMORY_BLOCKS):
        block = encode_fields([*CALL, ("x", str(number))])
        assert blocks.request(block).fields["x"] == str(number)
    assert len(blocks._memory) <= MEMORY_BLOCKS


@given(
    st.lists(
        st.tuples(st.sampled_from([":status", "x-a", "content-type"]), st.text("ab", max_size=300))
    )
)
def test_encoded_fields_need_no_table(fields: list[tuple[str, str]]) -> None:
    decoder = Decoder()
    decoder.header_table_size = 0
    block = encode_fields(fields)
    assert [tuple(pair) for pair in decoder.decode(block)] == fields


@given(st.binary(max_size=60), st.lists(FIELDS, max_size=3))
@settings(max_examples=1_000, deadline=None)
def test_any_block_means_what_the_library_says(noise: bytes, before: list[object]) -> None:
    """Also for blocks that mean nothing, and after the table has got entries."""
    encoder, library, table = Encoder(), Decoder(), Table()
    blocks = [encoder.encode([(name, value) for name, value, _ in fields]) for fields in before]  # type: ignore[attr-defined]
    for block in [*blocks, noise]:
        try:
            expected_fields = [tuple(field) for field in library.decode(block, raw=True)]
        except (HPACKError, IndexError):
            with pytest.raises((HPACKError, IndexError)):
                decode_fields(block, table, 65_536)
            return
        assert decode_fields(block, table, 65_536) == expected_fields
        assert table.dynamic_entries == library.header_table.dynamic_entries
        assert table.maxsize == library.header_table.maxsize
