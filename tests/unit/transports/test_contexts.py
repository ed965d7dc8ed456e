"""What a task of a workflow knows besides its input (B5.1, B5.3)."""

from __future__ import annotations

import json

import pytest

from hatchet_engine.transports.grpc.codecs.actions import start_action
from hatchet_engine.transports.grpc.codecs.context import context_members
from tests.unit.transports.fake_engine import assigned

NOTHING = {"parents": {}, "triggers": {"filter_payload": None}}


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("", NOTHING),
        ("{}", NOTHING),
        ('{"parents":{},"triggers":{}}', NOTHING),
        ('{"parents":{"a":{"n":1}}}', NOTHING | {"parents": {"a": {"n": 1}}}),
        # What is no object counts as empty: one such element would empty all in Python's SDK.
        (
            '{"parents": {"a": [1], "b": {"x": "}"}, "c": null, "d": "{"}}',
            NOTHING | {"parents": {"a": {}, "b": {"x": "}"}, "c": {}, "d": {}}},
        ),
        (
            '{"triggers":{"go":{"x":1}}}',
            NOTHING | {"triggers": {"filter_payload": None, "go": {"x": 1}}},
        ),
        (
            '{"triggers":{"filter_payload":{"p":1}}}',
            NOTHING | {"triggers": {"filter_payload": {"p": 1}}},
        ),
        (
            ' { "step_run_errors" : {"a \\"b\\"": "x: \\\\n}{"} , "parents" : { } } ',
            NOTHING | {"step_run_errors": {'a "b"': "x: \\n}{"}},
        ),
    ],
)
def test_b5_1_all_members_are_always_there(context: str, expected: object) -> None:
    assert json.loads("{" + context_members(context) + "}") == expected
    payload = json.loads(start_action(assigned(context=context)).action_payload)
    assert {"input", "triggered_by", "user_data", "overrides"} < set(payload)


def test_b5_1_numbers_keep_their_text() -> None:
    big = "9" * 10_000
    context = '{"parents":{"a":{"n":1.10,"big":' + big + '},"b":[]},"triggers":{"t":1e400}}'
    members = context_members(context)
    assert '"a":{"n":1.10,"big":' + big + "}" in members
    assert '"t":1e400' in members


def test_b5_1_any_depth_passes() -> None:
    deep = '{"a":' * 2_000 + "1" + "}" * 2_000
    members = context_members('{"parents":{"a":' + deep + "}}")
    assert deep in members
    assert '"triggers":' in members
