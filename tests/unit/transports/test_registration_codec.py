"""Registration messages become checked definitions (B12, B12.4, REG-20)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.transports.grpc.codecs.conditions import task_conditions
from hatchet_engine.transports.grpc.codecs.legacy import legacy_definition, legacy_version
from hatchet_engine.transports.grpc.codecs.registration import workflow_definition
from hatchet_engine.turn.commands import RegisteredWorkflow
from hatchet_protocol import v1_condition as c
from hatchet_protocol import v1_workflows as w
from hatchet_protocol import workflows as v0
from hatchet_protocol.v1_trigger import DesiredWorkerLabels
from tests.unit.transports.fake_engine import NOW_MS, VERSION, WORKFLOW


def request(**changes: object) -> w.CreateWorkflowVersionRequest:
    task = w.CreateTaskOpts(readable_id="hello", action="Hello:hello", timeout="1m", inputs="{}")
    values = {"name": "Hello", "tasks": [task]}
    return w.CreateWorkflowVersionRequest(**(values | changes))  # type: ignore[arg-type]


def with_task(**changes: object) -> w.CreateWorkflowVersionRequest:
    values = {"readable_id": "hello", "action": "hello:hello"}
    return request(tasks=[w.CreateTaskOpts(**(values | changes))])  # type: ignore[arg-type]


def test_b12_simple_task() -> None:
    definition = workflow_definition(request(description="says hello", default_priority=2))
    assert (definition.name, definition.description, definition.default_priority) == (
        "Hello",
        "says hello",
        2,
    )
    (task,) = definition.tasks
    assert (task.name, task.action, task.execution_timeout_ms) == ("hello", "hello:hello", 60_000)
    assert task.slots == {}
    assert not task.durable
    assert definition.input_json_schema is None


def test_b12_all_fields_of_a_task() -> None:
    definition = workflow_definition(
        with_task(
            timeout="1h30m",
            schedule_timeout="10s",
            retries=3,
            backoff_factor=2.0,
            backoff_max_seconds=30,
            slot_requests={"default": 2},
            worker_labels={
                "gpu": DesiredWorkerLabels(str_value="a100", required=True),
                "memory": DesiredWorkerLabels(int_value=8, comparator=3, weight=7),
            },
            is_durable=False,
        )
    )
    (task,) = definition.tasks
    assert (task.execution_timeout_ms, task.schedule_timeout_ms) == (5_400_000, 10_000)
    assert (task.retries, task.backoff_factor, task.backoff_max_s) == (3, 2.0, 30)
    assert task.slots == {"default": 2}
    assert task.labels == {
        "gpu": DesiredLabel("a100", True),
        "memory": DesiredLabel(8, False, Comparator.GREATER_THAN_OR_EQUAL, 7),
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"timeout": "60"}, "task 'hello': timeout: '60' is not a duration"),
        ({"timeout": "0s"}, "timeout: must be at least 1ms"),
        ({"schedule_timeout": "soon"}, "schedule_timeout: 'soon' is not a duration"),
        ({"worker_labels": {"x": DesiredWorkerLabels()}}, "worker_labels['x']: needs str_value"),
        (
            {"worker_labels": {"x": DesiredWorkerLabels(int_value=1, comparator=9)}},
            "worker_labels['x'].comparator: must be 0 to 5",
        ),
        ({"batch": w.TaskBatchConfig(batch_max_size=0)}, "batch_max_size must be 1 to 100000"),
        ({"retries": -1}, "retries must be between"),
        ({"action": ""}, "must look like service:verb"),
        ({"readable_id": ""}, "is required"),
        ({"readable_id": "nul\0"}, "null character"),
        ({"concurrency": [w.Concurrency()]}, "expression is required"),
        ({"concurrency": [w.Concurrency(expression="input.")]}, "concurrency[0].expression: "),
        (
            {"concurrency": [w.Concurrency(expression="'a'", max_runs=0)]},
            "max_runs must be at least 1",
        ),
        (
            {"concurrency": [w.Concurrency(expression="'a'", is_tenant_scoped=True)]},
            "a limit that workflows of the tenant share needs a name",
        ),
        (
            {"concurrency": [w.Concurrency(expression="'a'", name="n" * 256)]},
            "name is 256 characters long, the limit is 255",
        ),
        ({"rate_limits": [w.CreateTaskRateLimit(units=1)]}, "needs a key and units"),
        ({"rate_limits": [w.CreateTaskRateLimit(key="k")]}, "needs a key and units"),
        ({"rate_limits": [w.CreateTaskRateLimit(key="k", units=-1)]}, "at least 0, got -1"),
        (
            {"rate_limits": [w.CreateTaskRateLimit(key="k", units=1, duration=7)]},
            "duration of rate limit 'k' must be one of SECOND, MINUTE",
        ),
        (
            {"rate_limits": [w.CreateTaskRateLimit(key="k", units=1, key_expr="input.")]},
            "rate limit 'k': key_expr: ",
        ),
    ],
)
def test_b12_bad_task_names_field_and_remedy(changes: dict[str, object], text: str) -> None:
    with pytest.raises(Refused) as caught:
        workflow_definition(with_task(**changes))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": ""}, "name: is required"),
        ({"name": "x" * 256}, "the limit is 255"),
        ({"tasks": []}, "at least one task"),
        ({"default_priority": 4}, "priority must be between 1 and 3"),
        ({"sticky": 7}, "sticky: must be SOFT"),
        ({"input_json_schema": b"\xff"}, "input_json_schema: is not UTF-8"),
        ({"idempotency": w.IdempotencyConfig(expression="input.x")}, "ttl_ms"),
        ({"concurrency_arr": [w.Concurrency(expression="x", limit_strategy=1)]}, "DROP_NEWEST"),
        ({"concurrency_arr": [w.Concurrency(expression="x", limit_strategy=99)]}, "99"),
        ({"description": "nul\0"}, "null character"),
    ],
)
def test_b12_bad_workflow_names_field_and_remedy(changes: dict[str, object], text: str) -> None:
    with pytest.raises(Refused) as caught:
        workflow_definition(request(**changes))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert text in caught.value.message


def test_b12_dag_with_everything() -> None:
    task = w.CreateTaskOpts
    definition = workflow_definition(
        request(
            tasks=[
                task(readable_id="b", action="w:b", parents=["a"], is_durable=True),
                task(
                    readable_id="a",
                    action="w:a",
                    rate_limits=[
                        w.CreateTaskRateLimit(key="k", units=1),
                        w.CreateTaskRateLimit(
                            key="d", key_expr="input.k", units_expr="1", duration=2
                        ),
                    ],
                    batch=w.TaskBatchConfig(batch_max_size=5, batch_max_interval_ms=20),
                    concurrency=[w.Concurrency(expression="input.u", max_runs=3)],
                ),
            ],
            on_failure_task=task(readable_id="sorry", action="w:sorry"),
            concurrency=w.Concurrency(expression="'first'"),
            concurrency_arr=[
                w.Concurrency(
                    expression="'second'", limit_strategy=3, name="n", is_tenant_scoped=True
                )
            ],
            cron_triggers=["0 * * * *"],
            cron_input='{"c":1}',
            sticky=1,
            default_filters=[w.DefaultFilter(expression="true", scope="s", payload=b'{"p":1}')],
            idempotency=w.IdempotencyConfig(expression="input.x", ttl_ms=10, method=1),
            input_json_schema=b'{"type":"object"}',
        )
    )
    assert [(task.name, task.on_failure) for task in definition.tasks] == [
        ("a", False),
        ("b", False),
        ("sorry", True),
    ]
    a, b, _ = definition.tasks
    assert [use.duration for use in a.rate_limits] == [None, "HOUR"]
    assert a.batch is not None
    assert (a.batch.max_size, a.batch.interval_ms) == (5, 20)
    assert (a.concurrency[0].max_runs, a.concurrency[0].strategy) == (3, "CANCEL_IN_PROGRESS")
    assert b.parents == ["a"]
    assert b.durable
    assert b.slots == {"durable": 1}
    assert [rule.expression for rule in definition.concurrency] == ["'first'", "'second'"]
    assert definition.concurrency[1].strategy == "GROUP_ROUND_ROBIN"
    assert definition.concurrency[1].tenant_scoped
    assert definition.concurrency[1].name == "n"
    assert definition.sticky == "HARD"
    assert definition.cron_input == '{"c":1}'
    assert definition.default_filters[0].payload == '{"p":1}'
    assert definition.idempotency is not None
    assert definition.idempotency.method == "STATUS"


def test_b5_4_conditions() -> None:
    group = "11111111-1111-1111-1111-111111111111"
    found = task_conditions(
        c.TaskConditions(
            parent_override_conditions=[
                c.ParentOverrideMatchCondition(
                    base=c.BaseMatchCondition(action=3, or_group_id=group, expression="output.x"),
                    parent_readable_id="first",
                )
            ],
            sleep_conditions=[
                c.SleepMatchCondition(
                    base=c.BaseMatchCondition(readable_data_key="sleep:5s", action=1),
                    sleep_for="5s",
                )
            ],
            user_event_conditions=[
                c.UserEventMatchCondition(
                    base=c.BaseMatchCondition(
                        readable_data_key="go",
                        action=2,
                        or_group_id="0" * 8 + "-0000" * 4 + "0" * 8,
                    ),
                    user_event_key="go",
                    event_scope="s",
                )
            ],
        )
    )
    assert [(one.kind, one.action, one.data_key) for one in found] == [
        ("parent", "SKIP", "first"),
        ("sleep", "QUEUE", "sleep:5s"),
        ("event", "CANCEL", "go"),
    ]
    assert found[0].or_group == group
    assert found[0].expression == "output.x"
    assert len({one.or_group for one in found}) == 3
    assert found[1].sleep == "5s"
    assert (found[2].event_key, found[2].event_scope) == ("go", "s")


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (
            c.TaskConditions(parent_override_conditions=[c.ParentOverrideMatchCondition()]),
            "parent_readable_id",
        ),
        (c.TaskConditions(sleep_conditions=[c.SleepMatchCondition()]), "sleep_for"),
        (c.TaskConditions(user_event_conditions=[c.UserEventMatchCondition()]), "user_event_key"),
    ],
)
def test_b5_4_incomplete_conditions(conditions: c.TaskConditions, text: str) -> None:
    with pytest.raises(Refused, match=text):
        task_conditions(conditions)


def step(name: str, **changes: object) -> v0.CreateWorkflowStepOpts:
    values = {"readable_id": name, "action": f"w:{name}", "timeout": "30s"}
    return v0.CreateWorkflowStepOpts(**(values | changes))  # type: ignore[arg-type]


def test_reg_20_legacy_single_step() -> None:
    definition = legacy_definition(
        v0.CreateWorkflowVersionOpts(
            name="w",
            jobs=[v0.CreateWorkflowJobOpts(name="job", steps=[step("a", retries=2)])],
            schedule_timeout="15m",
        )
    )
    (task,) = definition.tasks
    assert (task.name, task.retries) == ("a", 2)
    assert (task.execution_timeout_ms, task.schedule_timeout_ms) == (30_000, 900_000)


def test_reg_20_legacy_jobs_are_flattened() -> None:
    definition = legacy_definition(
        v0.CreateWorkflowVersionOpts(
            name="w",
            jobs=[
                v0.CreateWorkflowJobOpts(steps=[step("a"), step("b", parents=["a"])]),
                v0.CreateWorkflowJobOpts(steps=[step("c")]),
            ],
            on_failure_job=v0.CreateWorkflowJobOpts(steps=[step("sorry"), step("ignored")]),
            concurrency=v0.WorkflowConcurrencyOpts(expression="input.x", limit_strategy=4),
            sticky=0,
        )
    )
    assert [task.name for task in definition.tasks] == ["a", "c", "b", "sorry"]
    assert definition.tasks[-1].on_failure
    assert definition.sticky == "SOFT"
    assert definition.concurrency[0].strategy == "CANCEL_NEWEST"


def test_b12_4_concurrency_functions_are_ignored() -> None:
    definition = legacy_definition(
        v0.CreateWorkflowVersionOpts(
            name="w",
            jobs=[v0.CreateWorkflowJobOpts(steps=[step("a")])],
            concurrency=v0.WorkflowConcurrencyOpts(action="w:key"),
        )
    )
    assert definition.concurrency == []
    assert definition.tasks[0].concurrency == []


def test_b12_4_answer() -> None:
    made = RegisteredWorkflow(WORKFLOW, VERSION, 3, NOW_MS, True)
    answer = legacy_version(v0.CreateWorkflowVersionOpts(version="v1"), made)
    assert (answer.id, answer.workflow_id, answer.order, answer.version) == (
        str(VERSION),
        str(WORKFLOW),
        3,
        "v1",
    )
    assert answer.created_at.seconds == NOW_MS // 1_000
