"""`hatchet.stubs`: run what other programs declare, by name."""

from typing import TYPE_CHECKING, Any, TypeVar, overload

from hatchet._core.codec import Codec, EmptyModel
from hatchet.runnables.config import WorkflowConfig
from hatchet.runnables.task import TaskOptions
from hatchet.runnables.workflow import Standalone, Workflow

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["StubsClient"]

TInput = TypeVar("TInput")
R = TypeVar("R")


class StubsClient:
    """Stand-ins for workflows and tasks that are declared elsewhere.

    charge = hatchet.stubs.task(
        name="charge", input_validator=Order, output_validator=Receipt
    )
    receipt = charge.run(Order(...))
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    @overload
    def workflow(
        self,
        *,
        name: str,
        input_validator: None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
    ) -> Workflow[EmptyModel]: ...
    @overload
    def workflow(
        self,
        *,
        name: str,
        input_validator: type[TInput],
        default_additional_metadata: dict[str, Any] | None = ...,
    ) -> Workflow[TInput]: ...
    def workflow(
        self,
        *,
        name: str,
        input_validator: Any = None,
        default_additional_metadata: dict[str, Any] | None = None,
    ) -> Any:
        """A workflow that another program's worker runs."""
        config = WorkflowConfig(
            name=name,
            input_validator=input_validator,
            default_additional_metadata=default_additional_metadata or {},
        )
        return Workflow(config, self._client, Codec(input_validator))

    @overload
    def task(
        self,
        *,
        name: str,
        input_validator: None = ...,
        output_validator: None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
    ) -> Standalone[EmptyModel, EmptyModel]: ...
    @overload
    def task(
        self,
        *,
        name: str,
        input_validator: type[TInput],
        output_validator: None = ...,
        default_additional_metadata: dict[str, Any] | None = ...,
    ) -> Standalone[TInput, EmptyModel]: ...
    @overload
    def task(
        self,
        *,
        name: str,
        input_validator: None = ...,
        output_validator: type[R],
        default_additional_metadata: dict[str, Any] | None = ...,
    ) -> Standalone[EmptyModel, R]: ...
    @overload
    def task(
        self,
        *,
        name: str,
        input_validator: type[TInput],
        output_validator: type[R],
        default_additional_metadata: dict[str, Any] | None = ...,
    ) -> Standalone[TInput, R]: ...
    def task(
        self,
        *,
        name: str,
        input_validator: Any = None,
        output_validator: Any = None,
        default_additional_metadata: dict[str, Any] | None = None,
    ) -> Any:
        """A standalone task that another program's worker runs."""

        def elsewhere(input: Any, ctx: Any) -> Any:
            raise RuntimeError(f"task {name!r} is declared in another program and runs there only")

        config = WorkflowConfig(
            name=name,
            input_validator=input_validator,
            default_additional_metadata=default_additional_metadata or {},
        )
        codec = Codec[Any](input_validator)
        output = Codec[Any](output_validator)
        return Standalone(elsewhere, config, self._client, codec, TaskOptions(), output)
