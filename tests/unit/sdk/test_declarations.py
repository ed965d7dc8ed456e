"""Declarations: mistakes that are told at once, and names that older programs use."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from hatchet import Context, DefaultFilter, EmptyModel, Hatchet, SleepCondition


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


def test_common_mistakes_are_told_at_once(hatchet: Hatchet) -> None:
    flow: Any = hatchet.workflow(name="flow")
    untyped: Any = hatchet
    first = flow.task(name="first")(nothing)

    async def no_context(input: EmptyModel) -> None: ...

    for declare in (hatchet.task(), hatchet.durable_task(), flow.task()):
        with pytest.raises(TypeError, match=r"task 'no_context' must take \(input, ctx\)"):
            declare(no_context)
    for decorate, shown in (
        (untyped.task, r"hatchet\.task"),
        (untyped.durable_task, r"hatchet\.durable_task"),
        (flow.task, r"workflow\.task"),
        (flow.durable_task, r"workflow\.durable_task"),
        (flow.on_failure_task, r"workflow\.on_failure_task"),
        (flow.on_success_task, r"workflow\.on_success_task"),
    ):
        with pytest.raises(TypeError, match=rf"write @{shown}\(\), with parentheses"):
            decorate(nothing)
    with pytest.raises(TypeError, match=r"hatchet\.task\(\) takes keywords only, such as name='a'"):
        untyped.task("a")
    with pytest.raises(ValueError, match="has no name of its own: give it one with name="):
        hatchet.task()(functools.partial(nothing))
    assert hatchet.task(name="part")(functools.partial(nothing)).name == "part"
    condition = SleepCondition("1s")
    with pytest.raises(TypeError, match=r"parents takes a list: parents=\[\.\.\.\]"):
        flow.task(parents=first)
    for option in ("wait_for", "skip_if", "cancel_if"):
        with pytest.raises(TypeError, match=rf"{option} takes a list: {option}=\[\.\.\.\]"):
            flow.task(**{option: condition})
    with pytest.raises(
        TypeError, match="a duration is a timedelta or a text such as '10s', not int"
    ):
        SleepCondition(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="task 'nothing': execution_timeout: a duration is"):
        hatchet.task(execution_timeout=30)(nothing)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="task 'nothing': retries must be a number, not '3'"):
        hatchet.task(retries="3")(nothing)  # type: ignore[call-overload]


class Counter:
    """Objects that can be called, and functions of any arguments, are fine."""

    async def __call__(self, input: EmptyModel, ctx: Context) -> None: ...


async def anything(*arguments: Any, **more: Any) -> None: ...


def test_other_things_than_functions(hatchet: Hatchet) -> None:
    for fn in (Counter(), anything, functools.partial(anything, "more")):
        assert hatchet.task(name="ok")(fn).is_async_function in (True, False)


def test_an_added_task_may_be_a_parent(hatchet: Hatchet) -> None:
    standalone = hatchet.task(name="Alone", retries=2)(nothing)
    flow = hatchet.workflow(name="flow")
    added = flow.add_task(standalone)
    after = flow.task(name="after", parents=[added])(nothing)
    assert (added.name, added.retries, after.parents) == ("alone", 2, [added])
    assert [list(task.parents) for task in flow.to_proto().tasks] == [[], ["alone"]]
