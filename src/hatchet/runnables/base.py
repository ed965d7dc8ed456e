"""What workflows and standalone tasks have in common: a name, tasks, registration."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from hatchet._core.codec import Codec, write_input
from hatchet._core.naming import action_id, apply_namespace
from hatchet._core.old_names import warn_of
from hatchet.runnables.task import Task, TaskOptions, TInput
from hatchet.runnables.types import StepType

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from hatchet._run.client import Client
    from hatchet.features.models import WorkflowList
    from hatchet.runnables.config import WorkflowConfig

__all__ = ["BaseWorkflow"]


class BaseWorkflow(Generic[TInput]):
    """What a workflow and a standalone task have in common: name, tasks, registration."""

    def __init__(self, config: "WorkflowConfig", client: "Client", codec: Codec[TInput]) -> None:
        self._config = config
        self._client = client
        self._input_codec = codec
        self._tasks: list[Task[TInput, Any]] = []
        self._on_failure: Task[TInput, Any] | None = None
        self._on_success: Task[TInput, Any] | None = None
        if config.cron_input is not None:
            write_input(codec, config.cron_input)  # a mistake shows here, not at the worker

    @cached_property
    def name(self) -> str:
        """Name with the namespace, as the engine knows it."""
        return self._client.config.namespace + self._config.name

    @cached_property
    def service_name(self) -> str:
        return apply_namespace(self._config.name.lower(), self._client.config.namespace)

    @property
    def tasks(self) -> list[Task[TInput, Any]]:
        """All tasks, those for failure and success last."""
        extra = [task for task in (self._on_failure, self._on_success) if task is not None]
        return [*self._tasks, *extra]

    @property
    def config(self) -> "WorkflowConfig":
        """What the declaration said. Deprecated."""
        warn_of("workflow.config", "the properties of the workflow")
        return self._config

    @property
    def input_validator(self) -> "TypeAdapter[TInput]":
        """pydantic's `TypeAdapter` of the declared input."""
        return self._input_codec.adapter

    @property
    def input_validator_type(self) -> Any:
        return self._input_codec.declared

    @property
    def id(self) -> str:
        """Id of the registered workflow, asked from the engine. `ValueError` if there is none."""
        return self._id

    @cached_property
    def _id(self) -> str:
        from hatchet.features.workflows import WorkflowsClient

        return self._id_in(WorkflowsClient(self._client).list(workflow_name=self._config.name))

    async def _aio_id(self) -> str:
        """Like `id`, without blocking the event loop."""
        if "_id" not in self.__dict__:
            from hatchet.features.workflows import WorkflowsClient

            found = await WorkflowsClient(self._client).aio_list(workflow_name=self._config.name)
            self.__dict__["_id"] = self._id_in(found)
        return self._id

    def _id_in(self, found: "WorkflowList") -> str:
        for row in found.rows or []:
            if row.name == self.name:
                return str(row.metadata.id)
        raise ValueError(f"the engine knows no workflow {self.name!r}: has a worker started?")

    def to_proto(self) -> Any:
        """The registration message of this workflow (`v1.CreateWorkflowVersionRequest`)."""
        from hatchet._wire.registration import workflow_message

        return workflow_message(self)

    def _action_of(self, task_name: str) -> str:
        return action_id(self.service_name, task_name)

    def _async_actions(self) -> tuple[str, ...]:
        return tuple(task.action for task in self.tasks if task.is_async)

    def _add(
        self,
        fn: Callable[..., Any],
        name: str | None,
        options: TaskOptions,
        type: StepType = StepType.DEFAULT,
        codec: Codec[Any] | None = None,
    ) -> Task[TInput, Any]:
        task_name = (name or own_name(fn)).lower()
        if type is not StepType.DEFAULT:
            task_name = f"{task_name}-{type.value.replace('_', '-')}"
        if any(task.name == task_name for task in self.tasks):
            raise ValueError(f"workflow {self._config.name!r} has two tasks named {task_name!r}")
        task: Task[TInput, Any] = Task(fn, self, task_name, options, type, codec)
        if type is StepType.DEFAULT:
            self._tasks.append(task)
        return task


def own_name(fn: Callable[..., Any]) -> str:
    """The name of a function. Raises `ValueError` for what has none, such as a `partial`."""
    name: str | None = getattr(fn, "__name__", None)
    if name is None:
        raise ValueError(f"{fn!r} has no name of its own: give it one with name=...")
    return name
