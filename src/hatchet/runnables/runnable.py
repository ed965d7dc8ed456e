"""The ways to run a workflow or a standalone task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from hatchet._core.codec import EmptyModel, write_input, write_metadata
from hatchet._core.naming import apply_namespace
from hatchet._core.session import DesiredLabelData, RunOutcome, TriggerItemData
from hatchet.context.current import current
from hatchet.runnables.forms import as_labels
from hatchet.runnables.guard import check_blocking_wait
from hatchet.runnables.manage import Managed
from hatchet.runnables.started import Started, raw
from hatchet.runnables.task import TInput
from hatchet.types.trigger import (
    ItemOptions,
    RunOptions,
    TriggerWorkflowOptions,
    WorkflowRunTriggerConfig,
)

if TYPE_CHECKING:
    from typing import Unpack


__all__ = ["Runnable"]

TResult = TypeVar("TResult")
TRef = TypeVar("TRef")

NO_INPUT: Any = EmptyModel()
RESERVED = "hatchet__"


class Runnable(Managed[TInput], Generic[TInput, TResult, TRef], ABC):
    """The ways to run something: now or later awaited, one or many, sync or async."""

    @abstractmethod
    def _read_outcome(self, run_id: str, outcome: RunOutcome) -> TResult:
        """The result of a run that has ended; raises what it failed with."""

    @abstractmethod
    def _ref(self, run_id: str) -> TRef:
        """What the caller gets of a run that is not waited for."""

    @overload
    def run(
        self,
        input: TInput = ...,
        options: TriggerWorkflowOptions | None = ...,
        *,
        wait_for_result: Literal[True] = ...,
        **more: "Unpack[RunOptions]",
    ) -> TResult: ...
    @overload
    def run(
        self,
        input: TInput = ...,
        options: TriggerWorkflowOptions | None = ...,
        *,
        wait_for_result: Literal[False],
        **more: "Unpack[RunOptions]",
    ) -> TRef: ...
    def run(
        self,
        input: TInput = NO_INPUT,
        options: TriggerWorkflowOptions | None = None,
        *,
        wait_for_result: bool = True,
        **more: "Unpack[RunOptions]",
    ) -> TResult | TRef:
        """Run it and wait for the result.

        Returns when the result is there. Inside a task the run becomes a child: it inherits the
        metadata, and a retried attempt finds the same child again.

        - `wait_for_result=False`: return a reference as soon as the engine has stored the run
        - `child_key` (or `key`): names the child instead of its order of creation
        - `additional_metadata`: searchable data
        - `priority`: 1 to 3; default: the workflow's
        - `sticky`: run the child on this worker; `desired_worker_id`, `desired_worker_labels`:
          choose another

        Raises `FailedTaskRunExceptionGroup` or `RunCancelledError` (both `ValueError`s) for how
        the run ended, `HatchetCallError` if the engine refuses it, `EngineUnavailableError` if it
        cannot be reached, `TriggerOutcomeUnknownError` if the connection broke before the answer
        and stayed away, `IdempotencyCollisionError` if another run has its idempotency key,
        `SyncWaitInAsyncTaskError` where waiting could never end.

            greeting = greet.run(Name(name="Ada"))
        """
        if not wait_for_result:
            return self.run_no_wait(input, options, **more)
        check_blocking_wait(self._async_actions())
        return self._start_one(input, options, more, want_results=True).result()

    @overload
    async def aio_run(
        self,
        input: TInput = ...,
        options: TriggerWorkflowOptions | None = ...,
        *,
        wait_for_result: Literal[True] = ...,
        **more: "Unpack[RunOptions]",
    ) -> TResult: ...
    @overload
    async def aio_run(
        self,
        input: TInput = ...,
        options: TriggerWorkflowOptions | None = ...,
        *,
        wait_for_result: Literal[False],
        **more: "Unpack[RunOptions]",
    ) -> TRef: ...
    async def aio_run(
        self,
        input: TInput = NO_INPUT,
        options: TriggerWorkflowOptions | None = None,
        *,
        wait_for_result: bool = True,
        **more: "Unpack[RunOptions]",
    ) -> TResult | TRef:
        """Like `run`, from async code."""
        if not wait_for_result:
            return await self.aio_run_no_wait(input, options, **more)
        return await self._start_one(input, options, more, want_results=True).aio_result()

    def run_no_wait(
        self,
        input: TInput = NO_INPUT,
        options: TriggerWorkflowOptions | None = None,
        **more: "Unpack[RunOptions]",
    ) -> TRef:
        """Start a run; returns a reference as soon as the engine has stored it."""
        return self._ref(self._start_one(input, options, more, want_results=False).ids()[0])

    async def aio_run_no_wait(
        self,
        input: TInput = NO_INPUT,
        options: TriggerWorkflowOptions | None = None,
        **more: "Unpack[RunOptions]",
    ) -> TRef:
        """Like `run_no_wait`, from async code."""
        started = self._start_one(input, options, more, want_results=False)
        return self._ref((await started.aio_ids())[0])

    @overload
    def run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: Literal[False] = ...,
        *,
        wait_for_result: Literal[True] = ...,
    ) -> list[TResult]: ...
    @overload
    def run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: bool = ...,
        *,
        wait_for_result: Literal[True] = ...,
    ) -> list[TResult | BaseException]: ...
    @overload
    def run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: bool = ...,
        *,
        wait_for_result: Literal[False],
    ) -> list[TRef]: ...
    def run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: bool = False,
        *,
        wait_for_result: bool = True,
    ) -> list[TResult] | list[TResult | BaseException] | list[TRef]:
        """Run many at once and wait for all results, in order.

        Items come from `create_bulk_run_item`. Up to 1,000 items (and 4 MiB) are one request,
        which is stored whole or not at all; larger bulks are cut, sent without waiting between.
        With `return_exceptions` failed runs give their exception in place; without, the first
        failure is raised when all runs have ended. Errors otherwise as for `run`.

        Items whose idempotency keys are taken are not created, while the others are. With
        `return_exceptions` each gives its `IdempotencyCollisionError` in place; without,
        `BulkTriggerIdempotencyCollisionError` with all of them is raised at once.

            results = greet.run_many(
                [greet.create_bulk_run_item(Name(name=n)) for n in names]
            )
        """
        if not wait_for_result:
            return self.run_many_no_wait(workflows)
        if not workflows:
            return []
        check_blocking_wait(self._async_actions())
        return self._start_many(workflows, want_results=True).results(return_exceptions)

    @overload
    async def aio_run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: Literal[False] = ...,
        *,
        wait_for_result: Literal[True] = ...,
    ) -> list[TResult]: ...
    @overload
    async def aio_run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: bool = ...,
        *,
        wait_for_result: Literal[True] = ...,
    ) -> list[TResult | BaseException]: ...
    @overload
    async def aio_run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: bool = ...,
        *,
        wait_for_result: Literal[False],
    ) -> list[TRef]: ...
    async def aio_run_many(
        self,
        workflows: list[WorkflowRunTriggerConfig],
        return_exceptions: bool = False,
        *,
        wait_for_result: bool = True,
    ) -> list[TResult] | list[TResult | BaseException] | list[TRef]:
        """Like `run_many`, from async code."""
        if not wait_for_result:
            return await self.aio_run_many_no_wait(workflows)
        if not workflows:
            return []
        started = self._start_many(workflows, want_results=True)
        return await started.aio_results(return_exceptions)

    def run_many_no_wait(self, workflows: list[WorkflowRunTriggerConfig]) -> list[TRef]:
        """Start many runs; returns references as soon as the engine has stored them."""
        if not workflows:
            return []
        return [self._ref(i) for i in self._start_many(workflows, want_results=False).ids()]

    async def aio_run_many_no_wait(self, workflows: list[WorkflowRunTriggerConfig]) -> list[TRef]:
        """Like `run_many_no_wait`, from async code."""
        if not workflows:
            return []
        started = self._start_many(workflows, want_results=False)
        return [self._ref(run_id) for run_id in await started.aio_ids()]

    def create_bulk_run_item(
        self,
        input: TInput = NO_INPUT,
        key: str | None = None,
        options: TriggerWorkflowOptions | None = None,
        **more: "Unpack[ItemOptions]",
    ) -> WorkflowRunTriggerConfig:
        """One item for `run_many` and its kin; the input is written to JSON here.

        `key` is the same as `child_key`.
        """
        chosen = options or _options(more)
        if key is not None and chosen.child_key is None:
            chosen = replace(chosen, child_key=key)
        return WorkflowRunTriggerConfig(
            self._config.name,
            write_input(self._input_codec, input),
            chosen,
            key,
            self._config.default_additional_metadata,
        )

    # ------------------------------------------------------------------ inside

    def _start_one(
        self,
        input: TInput,
        options: TriggerWorkflowOptions | None,
        more: Any,
        want_results: bool,
    ) -> Started[TResult]:
        if options is None:
            options = _options(more)
        item = WorkflowRunTriggerConfig(
            self._config.name, write_input(self._input_codec, input), options
        )
        return Started(self._client, [self._item(item)], want_results, self._read_outcome)

    def _start_many(
        self, items: Sequence[WorkflowRunTriggerConfig], want_results: bool
    ) -> Started[TResult]:
        data = [self._item(item) for item in items]
        return Started(self._client, data, want_results, self._read_outcome, bulk=True)

    def _item(self, item: WorkflowRunTriggerConfig) -> TriggerItemData:
        """An item as it is sent; one that another workflow has made starts that one."""
        context, options = current.get(), item.options
        own = item.workflow_name == self._config.name
        name = self._client.config.namespace + item.workflow_name
        if options.namespace is not None:
            name = apply_namespace(item.workflow_name, options.namespace)
        metadata = self._config.default_additional_metadata if own else item.default_metadata
        parent_task_id, child_index = b"", None
        worker_id = raw(options.desired_worker_id) if options.desired_worker_id else b""
        if context is not None:
            metadata = {**metadata, **_inherited(context.additional_metadata)}
            parent_task_id, child_index = context._task_id, context._next_child_index()
            if options.sticky and not worker_id:
                worker_id = raw(context.worker_id) if context.worker_id else b""
        if options.parent_step_run_id is not None:
            parent_task_id = raw(options.parent_step_run_id)
        if options.child_index is not None:
            child_index = options.child_index
        if options.additional_metadata:
            metadata = {**metadata, **options.additional_metadata}
        priority = options.priority
        if priority is not None and not 1 <= priority <= 3:
            raise ValueError(f"priority must be 1, 2 or 3, not {priority}")
        labels = options.desired_worker_label
        return TriggerItemData(
            name,
            item.input or "",
            write_metadata(metadata),
            priority or 0,
            parent_task_id,
            child_index,
            options.child_key or options.key or "",
            worker_id,
            _desired(labels) if labels else None,
        )


def _options(more: Any) -> TriggerWorkflowOptions:
    """Flat keywords as an options object."""
    if not more:
        return TriggerWorkflowOptions()
    known = {**more}
    labels = known.pop("desired_worker_labels", None)
    if known.get("additional_metadata") is None:
        known.pop("additional_metadata", None)
    return TriggerWorkflowOptions(**known, desired_worker_label=labels)


def _inherited(metadata: dict[str, Any]) -> dict[str, Any]:
    """What a child takes over: all but what the engine noted about the parent itself."""
    return {key: value for key, value in metadata.items() if not key.startswith(RESERVED)}


def _desired(labels: Any) -> dict[str, DesiredLabelData]:
    return {
        label.key: DesiredLabelData(
            label.value, label.required, int(label.comparator or 0), label.weight
        )
        for label in as_labels(labels)
        if label.key is not None
    }
