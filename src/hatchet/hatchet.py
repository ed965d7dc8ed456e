"""`Hatchet`: the entry to everything."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from hatchet._core.codec import Codec, EmptyModel
from hatchet._core.old_names import warn_of
from hatchet.config import ClientConfig
from hatchet.context.current import current
from hatchet.runnables.base import own_name
from hatchet.runnables.batch import batch_types
from hatchet.runnables.decorators import (
    AnyBatchDecorator,
    AnyBroadcastDecorator,
    AnyDurableStandaloneDecorator,
    AnyStandaloneDecorator,
    DurableStandaloneDecorator,
    StandaloneDecorator,
)
from hatchet.runnables.options import (
    BatchKeywords,
    DurableTaskKeywords,
    TaskKeywords,
    WorkflowKeywords,
    batch_options,
    check_keywords,
    check_positional,
    split,
    workflow_config,
)
from hatchet.runnables.task import signature_hints
from hatchet.runnables.types import BatchConfig
from hatchet.runnables.workflow import Standalone, Workflow

if TYPE_CHECKING:
    from typing import Literal, Unpack

    from hatchet._run.client import Client
    from hatchet.clients.events import EventClient
    from hatchet.clients.listeners.run_event_listener import RunEventListenerClient
    from hatchet.context.context import Context
    from hatchet.features.cel import CELClient
    from hatchet.features.cron import CronClient
    from hatchet.features.filters import FiltersClient
    from hatchet.features.logs import LogsClient
    from hatchet.features.metrics import MetricsClient
    from hatchet.features.pauses import PausesClient
    from hatchet.features.rate_limits import RateLimitsClient
    from hatchet.features.runs import RunsClient
    from hatchet.features.scheduled import ScheduledClient
    from hatchet.features.stubs import StubsClient
    from hatchet.features.workers import WorkersClient
    from hatchet.features.workflows import WorkflowsClient
    from hatchet.runnables.workflow import BaseWorkflow
    from hatchet.worker.worker import LifespanFn, Worker

__all__ = ["Hatchet"]

TInput = TypeVar("TInput")


class Hatchet:
    """A client of one engine and tenant. Making one opens no connection.

        hatchet = Hatchet()

    Without arguments the configuration comes from `HATCHET_CLIENT_*` variables, dotenv files or
    the profile of the local server; see `ClientConfig`. Raises `ValueError` without a token.
    """

    def __init__(self, debug: bool | None = None, *, config: ClientConfig | None = None) -> None:
        if config is None:
            config = ClientConfig() if debug is None else ClientConfig(debug=debug)
        self.config = config

    @cached_property
    def _client(self) -> "Client":
        from hatchet._run.client import Client

        return Client(self.config)

    @property
    def tenant_id(self) -> str:
        return self.config.tenant_id

    @property
    def namespace(self) -> str:
        return self.config.namespace

    @property
    def current_context(self) -> "Context | None":
        """The context of the running task; None outside a task."""
        return current.get()

    def get_current_context(self) -> "Context | None":
        """Deprecated: the same as `current_context`."""
        warn_of("hatchet.get_current_context()", "hatchet.current_context")
        return current.get()

    def close(self) -> None:
        """End the connection, when what waits to be sent is sent (at most 2 s).

        Not needed at the end of a program. A closed client connects again when it is used.
        """
        client = self.__dict__.get("_client")
        if client is not None:
            client.close()

    async def aio_get_engine_version(self) -> str:
        """Version of the protocol that the engine speaks, such as `v0.114.2`."""
        answer = await self._client.session.unary("/Dispatcher/GetVersion", {})
        version: str = answer.version
        return version

    # ------------------------------------------------------------------ feature clients

    @cached_property
    def runs(self) -> "RunsClient":
        """Read, cancel and replay runs."""
        from hatchet.features.runs import RunsClient

        return RunsClient(self._client)

    @cached_property
    def workflows(self) -> "WorkflowsClient":
        """Read and delete registered workflows."""
        from hatchet.features.workflows import WorkflowsClient

        return WorkflowsClient(self._client)

    @cached_property
    def workers(self) -> "WorkersClient":
        """Read and pause workers."""
        from hatchet.features.workers import WorkersClient

        return WorkersClient(self._client)

    @cached_property
    def rate_limits(self) -> "RateLimitsClient":
        """Put, pause and read rate limits."""
        from hatchet.features.rate_limits import RateLimitsClient

        return RateLimitsClient(self._client)

    @cached_property
    def pauses(self) -> "PausesClient":
        """Hold back everything, a workflow, or a concurrency key."""
        from hatchet.features.pauses import PausesClient

        return PausesClient(self._client)

    @cached_property
    def metrics(self) -> "MetricsClient":
        """Count what waits, runs, has ended."""
        from hatchet.features.metrics import MetricsClient

        return MetricsClient(self._client)

    @cached_property
    def logs(self) -> "LogsClient":
        """Read logs of task runs."""
        from hatchet.features.logs import LogsClient

        return LogsClient(self._client)

    @cached_property
    def event(self) -> "EventClient":
        """Push events, read pushed ones."""
        from hatchet.clients.events import EventClient

        return EventClient(self._client)

    @cached_property
    def cron(self) -> "CronClient":
        """Start workflows by the clock, again and again."""
        from hatchet.features.cron import CronClient

        return CronClient(self._client)

    @cached_property
    def scheduled(self) -> "ScheduledClient":
        """Run workflows once, at a time."""
        from hatchet.features.scheduled import ScheduledClient

        return ScheduledClient(self._client)

    @cached_property
    def filters(self) -> "FiltersClient":
        """Say which events start a workflow."""
        from hatchet.features.filters import FiltersClient

        return FiltersClient(self._client)

    @cached_property
    def cel(self) -> "CELClient":
        """Try out expressions."""
        from hatchet.features.cel import CELClient

        return CELClient(self._client)

    @cached_property
    def listener(self) -> "RunEventListenerClient":
        """Follow what happens in runs."""
        from hatchet.clients.listeners.run_event_listener import RunEventListenerClient

        return RunEventListenerClient(self._client)

    @property
    def stubs(self) -> "StubsClient":
        """Run what other programs declare, by name."""
        from hatchet.features.stubs import StubsClient

        return StubsClient(self._client)

    # ------------------------------------------------------------------ declare

    def worker(
        self,
        name: str,
        slots: "int | Mapping[str, int] | None" = None,
        durable_slots: int | None = None,
        labels: "dict[str, str | int] | Sequence[Any] | None" = None,
        workflows: "Sequence[BaseWorkflow[Any]] | None" = None,
        lifespan: "LifespanFn | None" = None,
    ) -> "Worker":
        """A worker for these workflows; `.start()` runs it.

        - `slots` (100), `durable_slots` (1000): how many attempts run at once, by pool; `slots`
          may be a dict with pools of your own, such as `{"default": 20, "gpu": 2}`, of which tasks
          take what their `slot_cost` says
        - `labels`: properties by which tasks choose workers
        - `lifespan`: async generator function; what it yields is `ctx.lifespan`, what follows
          the yield runs after the last task
        """
        from hatchet.worker.worker import Worker

        return Worker(self._client, name, slots, durable_slots, labels, workflows, lifespan)

    @overload
    def workflow(
        self, *, name: str, input_validator: None = ..., **options: "Unpack[WorkflowKeywords]"
    ) -> Workflow[EmptyModel]: ...
    @overload
    def workflow(
        self, *, name: str, input_validator: type[TInput], **options: "Unpack[WorkflowKeywords]"
    ) -> Workflow[TInput]: ...
    def workflow(
        self, *, name: str, input_validator: Any = None, **options: "Unpack[WorkflowKeywords]"
    ) -> Any:
        """Declare a workflow; add tasks with `@workflow.task()`. Nothing is sent yet.

        - `input_validator`: type of the input: a pydantic model, a dataclass, a TypedDict, a dict
        - `on_events`, `on_crons` with `cron_input`: what starts it by itself; `Cron(...)` adds a
          time zone and more to an expression
        - `default_filters`: which of these events do (all)
        - `sticky`: whether the tasks of a run stay on one worker
        - `default_priority` (1): 1 to 3
        - `concurrency`: runs at the same time: a number, or expressions
        - `task_defaults`: options of its tasks where they say nothing
        - `default_additional_metadata`: for each run triggered with this SDK
        - `idempotency`: refuse a second run with an equal key
        - `description`, `version`: texts for people

            order = hatchet.workflow(name="order", input_validator=Order)
        """
        check_keywords("hatchet.workflow", WorkflowKeywords, options)
        config = workflow_config(name, input_validator, options)
        return Workflow(config, self._client, Codec(input_validator))

    @overload
    def task(
        self,
        *,
        name: str | None = ...,
        input_validator: None = ...,
        **options: "Unpack[TaskKeywords]",
    ) -> AnyStandaloneDecorator: ...
    @overload
    def task(
        self,
        *,
        name: str | None = ...,
        input_validator: type[TInput],
        **options: "Unpack[TaskKeywords]",
    ) -> StandaloneDecorator[TInput]: ...
    def task(
        self,
        *fn: Any,
        name: str | None = None,
        input_validator: Any = None,
        **options: "Unpack[TaskKeywords]",
    ) -> Any:
        """Declare a standalone task: a workflow with this one task.

        The input type is `input_validator`, or else that of the function's first parameter if
        it is a model, a dataclass, a TypedDict or a dict. `name` defaults to the function's.

        - `execution_timeout` (60 s), `schedule_timeout` (5 min): for one attempt, for its place
        - `retries` (0), `backoff_factor`, `backoff_max_seconds`: attempts after a failure
        - `concurrency`, `rate_limits`, `desired_worker_labels`, `slot_cost` (1): where and when
        - all others of `hatchet.workflow`, but not `task_defaults`

            @hatchet.task(retries=3)
            async def greet(input: Name, ctx: Context) -> Greeting:
                return Greeting(text=f"Hello, {input.name}")
        """
        check_positional("hatchet.task", fn)
        check_keywords("hatchet.task", TaskKeywords, options)
        return StandaloneDecorator(lambda fn: self._standalone(fn, name, input_validator, options))

    @overload
    def durable_task(
        self,
        *,
        name: str | None = ...,
        input_validator: None = ...,
        **options: "Unpack[DurableTaskKeywords]",
    ) -> AnyDurableStandaloneDecorator: ...
    @overload
    def durable_task(
        self,
        *,
        name: str | None = ...,
        input_validator: type[TInput],
        **options: "Unpack[DurableTaskKeywords]",
    ) -> DurableStandaloneDecorator[TInput]: ...
    def durable_task(
        self,
        *fn: Any,
        name: str | None = None,
        input_validator: Any = None,
        **options: "Unpack[DurableTaskKeywords]",
    ) -> Any:
        """Declare a standalone durable task. Options as for `task`, but no `slot_cost`."""
        check_positional("hatchet.durable_task", fn)
        check_keywords("hatchet.durable_task", DurableTaskKeywords, options)
        return DurableStandaloneDecorator(
            lambda fn: self._standalone(fn, name, input_validator, options, is_durable=True)
        )

    @overload
    def batch_task(
        self,
        *,
        name: str | None = ...,
        input_validator: Any = ...,
        broadcast_output: "Literal[False]" = ...,
        **options: "Unpack[BatchKeywords]",
    ) -> AnyBatchDecorator: ...
    @overload
    def batch_task(
        self,
        *,
        name: str | None = ...,
        input_validator: Any = ...,
        broadcast_output: "Literal[True]",
        **options: "Unpack[BatchKeywords]",
    ) -> AnyBroadcastDecorator: ...
    def batch_task(
        self,
        *fn: Any,
        name: str | None = None,
        input_validator: Any = None,
        broadcast_output: bool = False,
        **options: "Unpack[BatchKeywords]",
    ) -> Any:
        """Declare a standalone batch task: its function is called once for many runs.

        Callers run it like any task and get results of their own. The engine gathers runs, and
        gives a batch to a worker when it is full or when it has waited long enough; it takes one
        slot. The function gets the inputs by member id, and returns a result for each: a dict with
        the same keys, or a list in their order. An exception in place of a result fails that
        member; one that is raised fails them all.

        - `batch_max_size` (1): so many at most, up to 100,000
        - `batch_max_interval` (1 s): so long the first one waits for others, up to a day
        - `batch_group_key`: CEL expression over input and metadata; only equal ones come together
        - `batch_group_max_runs` (100): batches of one group at once
        - `broadcast_output` (False): the function returns one result, which all members get
        - all others as for `task`, but no `slot_cost`

            @hatchet.batch_task(batch_max_size=100, batch_max_interval=timedelta(milliseconds=200))
            async def embed(
                inputs: dict[BatchMemberId, Text], ctx: BatchContext
            ) -> dict[BatchMemberId, Vector]:
                vectors = await model.embed([text.words for text in inputs.values()])
                return dict(zip(inputs, vectors))

            vector = embed.run(Text(words="hello"))

        Raises `ValueError` for sizes, intervals and counts that are out of range.
        """
        check_positional("hatchet.batch_task", fn)
        check_keywords("hatchet.batch_task", BatchKeywords, options)
        rest, batch = batch_options({**options, "broadcast_output": broadcast_output})
        return AnyBatchDecorator(
            lambda fn: self._standalone(fn, name, input_validator, rest, batch=batch)
        )

    def _standalone(
        self,
        fn: Callable[..., Any],
        name: str | None,
        input_validator: Any,
        given: Mapping[str, Any],
        is_durable: bool = False,
        batch: BatchConfig | None = None,
    ) -> Standalone[Any, Any]:
        rest, options = split(given)
        options.is_durable = is_durable
        options.batch = batch
        config = workflow_config(name or own_name(fn), input_validator, rest)
        declared = input_validator
        if declared is None and batch is not None:
            declared = batch_types(fn, batch.broadcast_output)[0]
        elif declared is None:
            declared = signature_hints(fn).input
        return Standalone(fn, config, self._client, Codec(declared), options)
