"""Settings of the official SDK that do nothing here say so instead of pretending."""

from __future__ import annotations

import warnings

import pytest

from hatchet import ClientConfig

from .fake_engine import make_token

TOKEN = make_token("engine:7077", "https://engine:8080/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listener_v2_timeout", 5),
        ("enable_force_kill_sync_threads", True),
        ("enable_thread_pool_monitoring", True),
        ("sync_result_poll_interval", 2.0),
    ],
)
def test_a_setting_without_effect_warns(name: str, value: object) -> None:
    with pytest.warns(UserWarning, match=f"{name} has no effect"):
        ClientConfig(token=TOKEN, **{name: value})


def test_defaults_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ClientConfig(token=TOKEN)
