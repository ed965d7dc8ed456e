"""Declarations: mistakes that are told at once, and names that older programs use."""

from __future__ import annotations

import pytest

from hatchet import Context, DefaultFilter, EmptyModel, Hatchet


async def nothing(input: EmptyModel, ctx: Context) -> None: ...


def test_keywords_that_do_not_exist(hatchet: Hatchet) -> None:
    def unknown(name: str, keyword: str) -> str:
        return rf"hatchet\.{name}\(\) got an unexpected keyword argument '{keyword}'"

    with pytest.raises(TypeError, match=unknown("task", "retires")):
        hatchet.task(retires=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=unknown("task", "parents")):
        hatchet.task(parents=[])  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=unknown("durable_task", "slot_cost")):
        hatchet.durable_task(slot_cost=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=unknown("workflow", "retries")):
        hatchet.workflow(name="w", retries=1)  # type: ignore[call-overload]


def test_none_is_the_default(hatchet: Hatchet) -> None:
    task = hatchet.task(
        on_events=None, default_filters=None, concurrency=None, retries=0, rate_limits=None
    )(nothing)
    assert (task.name, task._config.on_events, task._task.concurrency) == ("nothing", [], [])
    flow = hatchet.workflow(name="w", task_defaults=None, default_additional_metadata=None)
    assert flow._config.default_additional_metadata == {}


def test_lists_are_copied(hatchet: Hatchet) -> None:
    """What a program does to its list later changes no declaration."""
    keys, filters = ["a"], [DefaultFilter(expression="true", scope="s")]
    task = hatchet.task(on_events=keys, default_filters=filters)(nothing)
    keys.append("b")
    filters.clear()
    assert task._config.on_events == ["a"]
    assert len(task._config.default_filters) == 1
    with pytest.raises(TypeError, match=r"on_events takes a list: on_events=\['a'\]"):
        hatchet.task(on_events="a")(nothing)  # type: ignore[call-overload]


def test_old_names(hatchet: Hatchet) -> None:
    """python-sdk.md §4.10: deprecated there, working here."""
    flow = hatchet.workflow(name="flow")
    task = flow.task()(nothing)
    with pytest.warns(DeprecationWarning, match="mock_run"):
        assert task.fn is nothing
    with pytest.warns(DeprecationWarning, match="is_async"):
        assert task.is_async_function
    with pytest.warns(DeprecationWarning, match="the workflow itself"):
        assert task.workflow is flow
    with pytest.warns(DeprecationWarning, match="properties"):
        assert flow.config.name == "flow"
    with pytest.warns(DeprecationWarning, match="current_context") as caught:
        assert hatchet.get_current_context() is None
    assert caught[0].filename == __file__
