"""`Hatchet`: the entry to everything."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from hatchet._core.codec import Codec, EmptyModel
from hatchet.config import ClientConfig
from hatchet.context.current import current
from hatchet.runnables.config import WorkflowConfig, as_keys
from hatchet.runnables.decorators import (
    AnyDurableStandaloneDecorator,
    AnyStandaloneDecorator,
    DurableStandaloneDecorator,
    StandaloneDecorator,
)
from hatchet.runnables.task import TaskOptions, as_concurrency, as_labels, signature_hints
from hatchet.runnables.types import DefaultFilter, TaskDefaults
from hatchet.runnables.workflow import Standalone, Workflow
from hatchet.types.priority import Priority

if TYPE_CHECKING:
    from hatchet._core.durations import Duration
    from hatchet._run.client import Client
    from hatchet.clients.events import EventClient
    from hatchet.clients.listeners.run_event_listener import RunEventListenerClient
    from hatchet.context.context import Context
    from hatchet.features.cel import CELClient
    from hatchet.features.cron import CronClient
    from hatchet.features.filters import FiltersClient
    from hatchet.features.logs import LogsClient
    from hatchet.features.runs import RunsClient
    from hatchet.features.scheduled import ScheduledClient
    from hatchet.features.stubs import StubsClient
    from hatchet.features.workers import WorkersClient
    from hatchet.features.workflows import WorkflowsClient
    from hatchet.runnables.eviction import EvictionPolicy
    from hatchet.runnables.workflow import BaseWorkflow
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.idempotency import (
        StatusBasedIdempotencyConfig,
        TTLBasedIdempotencyConfig,
    )
    from hatchet.types.labels import DesiredWorkerLabel
    from hatchet.types.rate_limit import RateLimit
    from hatchet.types.sticky import StickyStrategy
    from hatchet.worker.worker import LifespanFn, Worker

    Concurrency = int | ConcurrencyExpression | Sequence[ConcurrencyExpression]
    DesiredLabels = Sequence[DesiredWorkerLabel] | dict[str, DesiredWorkerLabel]
    Idempotency = TTLBasedIdempotencyConfig | StatusBasedIdempotencyConfig

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
        slots: int | None = None,
        durable_slots: int | None = None,
        labels: "dict[str, str | int] | Sequence[Any] | None" = None,
        workflows: "Sequence[BaseWorkflow[Any]] | None" = None,
        lifespan: "LifespanFn | None" = None,
    ) -> "Worker":
        """A worker for these workflows; `.start()` runs it.

        - `slots` (100), `durable_slots` (1000): how many attempts run at once, by pool
        - `labels`: properties by which tasks choose workers
        - `lifespan`: async generator function; what it yields is `ctx.lifespan`, what follows
          the yield runs after the last task
        """
        from hatchet.worker.worker import Worker

        return Worker(self._client, name, slots, durable_slots, labels, workflows, lifespan)

    @overload
    def workflow(
        self,
        *,
        name: str,
        description: str | None = ...,
        input_validator: None = ...,
        on_events: list[str] | None = ...,
        on_crons: list[str] | None = ...,
        cron_input: Any = ...,
        version: str | None = ...,
        sticky: "StickyStrategy | None" = ...,
        default_priority: Priority | int = ...,
        concurrency: "Concurrency | None" = ...,
        task_defaults: TaskDefaults | None = ...,
        default_filters: list[DefaultFilter] | None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
        idempotency: "Idempotency | None" = ...,
    ) -> Workflow[EmptyModel]: ...
    @overload
    def workflow(
        self,
        *,
        name: str,
        description: str | None = ...,
        input_validator: type[TInput],
        on_events: list[str] | None = ...,
        on_crons: list[str] | None = ...,
        cron_input: Any = ...,
        version: str | None = ...,
        sticky: "StickyStrategy | None" = ...,
        default_priority: Priority | int = ...,
        concurrency: "Concurrency | None" = ...,
        task_defaults: TaskDefaults | None = ...,
        default_filters: list[DefaultFilter] | None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
        idempotency: "Idempotency | None" = ...,
    ) -> Workflow[TInput]: ...
    def workflow(
        self,
        *,
        name: str,
        description: str | None = None,
        input_validator: Any = None,
        on_events: list[str] | None = None,
        on_crons: list[str] | None = None,
        cron_input: Any = None,
        version: str | None = None,
        sticky: "StickyStrategy | None" = None,
        default_priority: Priority | int = Priority.LOW,
        concurrency: "Concurrency | None" = None,
        task_defaults: TaskDefaults | None = None,
        default_filters: list[DefaultFilter] | None = None,
        default_additional_metadata: dict[str, Any] | None = None,
        idempotency: "Idempotency | None" = None,
    ) -> Any:
        """Declare a workflow; add tasks with `@workflow.task()`. Nothing is sent yet.

        - `input_validator`: type of the input: a pydantic model, a dataclass, a TypedDict, a dict
        - `on_events`, `on_crons` with `cron_input`: what starts it by itself; `Cron(...)` adds a
          time zone and more to an expression
        - `sticky`: whether the tasks of a run stay on one worker
        - `default_priority` (1): 1 to 3
        - `concurrency`: runs at the same time: a number, or expressions
        - `task_defaults`: options of its tasks where they say nothing
        - `default_additional_metadata`: for each run triggered with this SDK
        - `idempotency`: refuse a second run with an equal key
        """
        config = WorkflowConfig(
            name=name,
            description=description,
            input_validator=input_validator,
            on_events=as_keys("on_events", on_events),
            on_crons=as_keys("on_crons", on_crons),
            cron_input=cron_input,
            version=version,
            sticky=sticky,
            default_priority=default_priority,
            concurrency=concurrency,
            task_defaults=task_defaults or TaskDefaults(),
            default_filters=list(default_filters or ()),
            default_additional_metadata=dict(default_additional_metadata or {}),
            idempotency=idempotency,
        )
        return Workflow(config, self._client, Codec(input_validator))

    @overload
    def task(
        self,
        *,
        name: str | None = ...,
        description: str | None = ...,
        input_validator: None = ...,
        on_events: list[str] | None = ...,
        on_crons: list[str] | None = ...,
        cron_input: Any = ...,
        version: str | None = ...,
        sticky: "StickyStrategy | None" = ...,
        default_priority: Priority | int = ...,
        concurrency: "Concurrency | None" = ...,
        schedule_timeout: "Duration | None" = ...,
        execution_timeout: "Duration | None" = ...,
        retries: int = ...,
        rate_limits: "Sequence[RateLimit] | None" = ...,
        desired_worker_labels: "DesiredLabels | None" = ...,
        backoff_factor: float | None = ...,
        backoff_max_seconds: int | None = ...,
        default_filters: list[DefaultFilter] | None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
        idempotency: "Idempotency | None" = ...,
        slot_cost: int | None = ...,
    ) -> AnyStandaloneDecorator: ...
    @overload
    def task(
        self,
        *,
        name: str | None = ...,
        description: str | None = ...,
        input_validator: type[TInput],
        on_events: list[str] | None = ...,
        on_crons: list[str] | None = ...,
        cron_input: Any = ...,
        version: str | None = ...,
        sticky: "StickyStrategy | None" = ...,
        default_priority: Priority | int = ...,
        concurrency: "Concurrency | None" = ...,
        schedule_timeout: "Duration | None" = ...,
        execution_timeout: "Duration | None" = ...,
        retries: int = ...,
        rate_limits: "Sequence[RateLimit] | None" = ...,
        desired_worker_labels: "DesiredLabels | None" = ...,
        backoff_factor: float | None = ...,
        backoff_max_seconds: int | None = ...,
        default_filters: list[DefaultFilter] | None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
        idempotency: "Idempotency | None" = ...,
        slot_cost: int | None = ...,
    ) -> StandaloneDecorator[TInput]: ...
    def task(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        input_validator: Any = None,
        on_events: list[str] | None = None,
        on_crons: list[str] | None = None,
        cron_input: Any = None,
        version: str | None = None,
        sticky: "StickyStrategy | None" = None,
        default_priority: Priority | int = Priority.LOW,
        concurrency: "Concurrency | None" = None,
        schedule_timeout: "Duration | None" = None,
        execution_timeout: "Duration | None" = None,
        retries: int = 0,
        rate_limits: "Sequence[RateLimit] | None" = None,
        desired_worker_labels: "DesiredLabels | None" = None,
        backoff_factor: float | None = None,
        backoff_max_seconds: int | None = None,
        default_filters: list[DefaultFilter] | None = None,
        default_additional_metadata: dict[str, Any] | None = None,
        idempotency: "Idempotency | None" = None,
        slot_cost: int | None = None,
    ) -> Any:
        """Declare a standalone task: a workflow with this one task.

        The input type is `input_validator`, or else that of the function's first parameter if
        it is a model, a dataclass, a TypedDict or a dict. `name` defaults to the function's.
        Other options as for `hatchet.workflow` and `workflow.task`.

            @hatchet.task(retries=3)
            async def greet(input: Name, ctx: Context) -> Greeting:
                return Greeting(text=f"Hello, {input.name}")
        """
        options = TaskOptions(
            schedule_timeout=schedule_timeout,
            execution_timeout=execution_timeout,
            retries=retries,
            rate_limits=list(rate_limits or ()),
            desired_worker_labels=as_labels(desired_worker_labels),
            backoff_factor=backoff_factor,
            backoff_max_seconds=backoff_max_seconds,
            concurrency=as_concurrency(concurrency),
            slot_cost=slot_cost,
        )

        def build(fn: Callable[..., Any]) -> Standalone[Any, Any]:
            config = WorkflowConfig(
                name=name or fn.__name__,
                description=description,
                input_validator=input_validator,
                on_events=as_keys("on_events", on_events),
                on_crons=as_keys("on_crons", on_crons),
                cron_input=cron_input,
                version=version,
                sticky=sticky,
                default_priority=default_priority,
                default_filters=list(default_filters or ()),
                default_additional_metadata=dict(default_additional_metadata or {}),
                idempotency=idempotency,
            )
            return self._standalone(fn, config, options)

        return StandaloneDecorator(build)

    @overload
    def durable_task(
        self,
        *,
        name: str | None = ...,
        description: str | None = ...,
        input_validator: None = ...,
        on_events: list[str] | None = ...,
        on_crons: list[str] | None = ...,
        cron_input: Any = ...,
        version: str | None = ...,
        sticky: "StickyStrategy | None" = ...,
        default_priority: Priority | int = ...,
        concurrency: "Concurrency | None" = ...,
        schedule_timeout: "Duration | None" = ...,
        execution_timeout: "Duration | None" = ...,
        retries: int = ...,
        rate_limits: "Sequence[RateLimit] | None" = ...,
        desired_worker_labels: "DesiredLabels | None" = ...,
        backoff_factor: float | None = ...,
        backoff_max_seconds: int | None = ...,
        default_filters: list[DefaultFilter] | None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
        idempotency: "Idempotency | None" = ...,
        eviction_policy: "EvictionPolicy | None" = ...,
    ) -> AnyDurableStandaloneDecorator: ...
    @overload
    def durable_task(
        self,
        *,
        name: str | None = ...,
        description: str | None = ...,
        input_validator: type[TInput],
        on_events: list[str] | None = ...,
        on_crons: list[str] | None = ...,
        cron_input: Any = ...,
        version: str | None = ...,
        sticky: "StickyStrategy | None" = ...,
        default_priority: Priority | int = ...,
        concurrency: "Concurrency | None" = ...,
        schedule_timeout: "Duration | None" = ...,
        execution_timeout: "Duration | None" = ...,
        retries: int = ...,
        rate_limits: "Sequence[RateLimit] | None" = ...,
        desired_worker_labels: "DesiredLabels | None" = ...,
        backoff_factor: float | None = ...,
        backoff_max_seconds: int | None = ...,
        default_filters: list[DefaultFilter] | None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
        idempotency: "Idempotency | None" = ...,
        eviction_policy: "EvictionPolicy | None" = ...,
    ) -> DurableStandaloneDecorator[TInput]: ...
    def durable_task(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        input_validator: Any = None,
        on_events: list[str] | None = None,
        on_crons: list[str] | None = None,
        cron_input: Any = None,
        version: str | None = None,
        sticky: "StickyStrategy | None" = None,
        default_priority: Priority | int = Priority.LOW,
        concurrency: "Concurrency | None" = None,
        schedule_timeout: "Duration | None" = None,
        execution_timeout: "Duration | None" = None,
        retries: int = 0,
        rate_limits: "Sequence[RateLimit] | None" = None,
        desired_worker_labels: "DesiredLabels | None" = None,
        backoff_factor: float | None = None,
        backoff_max_seconds: int | None = None,
        default_filters: list[DefaultFilter] | None = None,
        default_additional_metadata: dict[str, Any] | None = None,
        idempotency: "Idempotency | None" = None,
        eviction_policy: "EvictionPolicy | None" = None,
    ) -> Any:
        """Declare a standalone durable task. Options as for `task`."""
        options = TaskOptions(
            schedule_timeout=schedule_timeout,
            execution_timeout=execution_timeout,
            retries=retries,
            rate_limits=list(rate_limits or ()),
            desired_worker_labels=as_labels(desired_worker_labels),
            backoff_factor=backoff_factor,
            backoff_max_seconds=backoff_max_seconds,
            concurrency=as_concurrency(concurrency),
            is_durable=True,
            eviction_policy=eviction_policy,
        )

        def build(fn: Callable[..., Any]) -> Standalone[Any, Any]:
            config = WorkflowConfig(
                name=name or fn.__name__,
                description=description,
                input_validator=input_validator,
                on_events=as_keys("on_events", on_events),
                on_crons=as_keys("on_crons", on_crons),
                cron_input=cron_input,
                version=version,
                sticky=sticky,
                default_priority=default_priority,
                default_filters=list(default_filters or ()),
                default_additional_metadata=dict(default_additional_metadata or {}),
                idempotency=idempotency,
            )
            return self._standalone(fn, config, options)

        return DurableStandaloneDecorator(build)

    def _standalone(
        self, fn: Callable[..., Any], config: WorkflowConfig, options: TaskOptions
    ) -> Standalone[Any, Any]:
        declared = config.input_validator
        if declared is None:
            declared = signature_hints(fn).input
        return Standalone(fn, config, self._client, Codec(declared), options)
