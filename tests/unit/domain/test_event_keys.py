"""Which event keys a trigger names."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain.event_keys import matches


@pytest.mark.parametrize(
    ("trigger", "key", "fires"),
    [
        ("order:created", "order:created", True),
        ("order:created", "order:created ", False),
        ("Order", "order", False),
        ("order:*", "order:created", True),
        ("order:*", "order:", True),
        ("order:*", "order", False),
        ("*:created", "order:created", True),
        ("*:created", "order:created:twice", False),
        ("a*c*e", "abcde", True),
        ("a*c*e", "aced", False),
        ("a**b", "ab", True),
        ("*", "anything\nat all", True),
        ("*", "", True),
        # All else stands for itself.
        ("a.c", "abc", False),
        ("a.*", "a.b", True),
        ("a.*", "abb", False),
        ("100%_*", "100 x", False),
        ("100%_*", "100%_x", True),
        ("[ab]*", "a", False),
        ("(*", "(x", True),
        (r"\d*", "1", False),
        ("ключ:*", "ключ:да", True),
    ],
)
def test_e_9_keys_and_patterns(trigger: str, key: str, fires: bool) -> None:
    assert matches(trigger, key) is fires


@pytest.mark.parametrize("trigger", ["*" * 500 + "b", "*a" * 500 + "*b", "a*" * 511 + "b"])
def test_no_pattern_takes_long(trigger: str) -> None:
    began = time.perf_counter()
    assert not matches(trigger, "a" * 1_024)
    assert time.perf_counter() - began < 0.5


TEXT = st.text("ab*", max_size=8)


@given(TEXT, st.text("ab", max_size=8))
def test_patterns_mean_what_a_regular_expression_says(trigger: str, key: str) -> None:
    pattern = ".*".join(map(re.escape, trigger.split("*")))
    assert matches(trigger, key) is (re.fullmatch(pattern, key) is not None)
