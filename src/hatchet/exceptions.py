"""Every exception the SDK raises on purpose."""

from datetime import timedelta

from hatchet._core import error_text

__all__ = [
    "BulkTriggerIdempotencyCollisionError",
    "ConnectionLostError",
    "DedupeViolationError",
    "EngineUnavailableError",
    "EvictionNotSupportedError",
    "FailedTaskRunExceptionGroup",
    "HatchetCallError",
    "IdempotencyCollisionError",
    "IllegalTaskOutputError",
    "InvalidDependencyError",
    "LifespanSetupError",
    "LoopAlreadyRunningError",
    "NonDeterminismError",
    "NonRetryableException",
    "RetryAfterException",
    "RunCancelledError",
    "SyncWaitInAsyncTaskError",
    "TaskRunError",
    "TriggerOutcomeUnknownError",
]


class NonRetryableException(Exception):
    """Raise it in a task to fail without any further retry."""


class RetryAfterException(Exception):
    """Raise it in a task to fail this attempt and retry after a delay of your choice.

    It counts as one of the task's `retries`; it replaces the back-off for this one retry.

        raise RetryAfterException("rate limited", after=timedelta(seconds=30))
    """

    def __init__(self, message: str = "", *, after: timedelta) -> None:
        super().__init__(message)
        if after < timedelta(0):
            raise ValueError("RetryAfterException: `after` must not be negative")
        self.after = after

    @property
    def after_ms(self) -> int:
        """The delay in whole milliseconds, rounded up."""
        return -(-self.after // timedelta(milliseconds=1))


class TaskRunError(Exception):
    """How one task of a run failed, as its worker told it."""

    def __init__(
        self, exc: str, exc_type: str, trace: str, task_run_external_id: str | None
    ) -> None:
        super().__init__(exc)
        self.exc = exc
        self.exc_type = exc_type
        self.trace = trace
        self.task_run_external_id = task_run_external_id

    def __str__(self) -> str:
        return self.serialize(include_metadata=False)

    def __repr__(self) -> str:
        return f"TaskRunError({self.exc_type}: {self.exc!r}, task={self.task_run_external_id})"

    def __reduce__(self) -> tuple[type["TaskRunError"], tuple[str, str, str, str | None]]:
        return type(self), (self.exc, self.exc_type, self.trace, self.task_run_external_id)

    def serialize(self, include_metadata: bool) -> str:
        """The error text, as it travels to the engine."""
        if not self.exc_type or not self.exc:
            return ""
        task_run_id = self.task_run_external_id if include_metadata else None
        return error_text.write(self.exc_type, self.exc, self.trace, task_run_id)

    @classmethod
    def deserialize(cls, serialized: str) -> "TaskRunError":
        """Read an error text of any origin; see `hatchet._core.error_text`."""
        exc_type, message, trace, task_run_id = error_text.read(serialized)
        return cls(message, exc_type, trace, task_run_id)

    @classmethod
    def from_exception(cls, exc: Exception, task_run_external_id: str | None) -> "TaskRunError":
        """What a worker reports for an exception it caught."""
        text = error_text.write_exception(exc, task_run_external_id)
        return cls.deserialize(text)


class FailedTaskRunExceptionGroup(ValueError):
    """A run failed. `exceptions` holds one `TaskRunError` for each failed task."""

    def __init__(self, message: str, exceptions: list[TaskRunError]) -> None:
        super().__init__(message)
        self.message = message
        self.exceptions = exceptions

    def __str__(self) -> str:
        errors = [f"{number}. {error}" for number, error in enumerate(self.exceptions, start=1)]
        return "\n\n".join([self.message, *errors])

    def __reduce__(
        self,
    ) -> tuple[type["FailedTaskRunExceptionGroup"], tuple[str, list[TaskRunError]]]:
        return type(self), (self.message, self.exceptions)


class RunCancelledError(FailedTaskRunExceptionGroup):
    """The run that was waited for was cancelled. A `ValueError`, like in the official SDK."""


class HatchetCallError(RuntimeError):
    """The engine refused a call. `code` is the gRPC status name, such as `INVALID_ARGUMENT`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class EngineUnavailableError(RuntimeError):
    """The engine could not be reached in time. Nothing was sent: trying again is safe."""


class ConnectionLostError(RuntimeError):
    """The connection broke while an answer was awaited."""


class TriggerOutcomeUnknownError(ConnectionLostError):
    """The connection broke after a trigger was sent and before the engine answered, and was not
    there again within `trigger_timeout_s`; until then the trigger is sent again by itself.

    The runs may or may not exist. Look for them (for example by a metadata key) before you
    trigger again, or give the workflow an idempotency key.
    """


class SyncWaitInAsyncTaskError(RuntimeError):
    """A blocking wait inside an async task, for a task which this very event loop would run."""


class DedupeViolationError(Exception):
    """The engine refused a run because an equal one exists already."""


class IdempotencyCollisionError(Exception):
    """Another run holds the idempotency key of this one, which was not created.

    - `existing_run_external_id`: the run that holds it
    - `item_index`: in a bulk, which item it is about

        try:
            charge.run(order)
        except IdempotencyCollisionError as collision:
            result = hatchet.runs.get_run_ref(collision.existing_run_external_id).result()
    """

    def __init__(self, existing_run_external_id: str, item_index: int | None = None) -> None:
        item = "the idempotency key" if item_index is None else f"the key of item {item_index}"
        super().__init__(f"{item} is taken by run {existing_run_external_id}")
        self.existing_run_external_id = existing_run_external_id
        self.item_index = item_index

    def __reduce__(self) -> tuple[type["IdempotencyCollisionError"], tuple[str, int | None]]:
        return type(self), (self.existing_run_external_id, self.item_index)


class BulkTriggerIdempotencyCollisionError(Exception):
    """Some items of a bulk met taken idempotency keys; the others were created.

    - `successful_workflow_run_external_ids`: the runs that were created, in item order
    - `collisions`: one `IdempotencyCollisionError` for each item that was not
    """

    def __init__(
        self,
        successful_workflow_run_external_ids: list[str],
        collisions: list[IdempotencyCollisionError],
    ) -> None:
        super().__init__(f"{len(collisions)} items met taken idempotency keys")
        self.successful_workflow_run_external_ids = successful_workflow_run_external_ids
        self.collisions = collisions

    def __reduce__(
        self,
    ) -> tuple[
        type["BulkTriggerIdempotencyCollisionError"],
        tuple[list[str], list[IdempotencyCollisionError]],
    ]:
        return type(self), (self.successful_workflow_run_external_ids, self.collisions)


class NonDeterminismError(Exception):
    """A durable task took another path when it was replayed."""

    def __init__(
        self, task_external_id: str, invocation_count: int, message: str, node_id: int
    ) -> None:
        super().__init__(message)
        self.task_external_id = task_external_id
        self.invocation_count = invocation_count
        self.message = message
        self.node_id = node_id


class EvictionNotSupportedError(NonRetryableException):
    """The engine is too old for eviction."""

    def __init__(self, engine_version: str | None = None) -> None:
        super().__init__(f"eviction is not supported by engine {engine_version or 'unknown'}")
        self.engine_version = engine_version


class InvalidDependencyError(Exception):
    """A dependency has a wrong signature, or dependencies form a cycle."""


class IllegalTaskOutputError(Exception):
    """A task returned something that cannot be stored as its output."""


class LifespanSetupError(Exception):
    """The worker's lifespan function failed."""


class LoopAlreadyRunningError(Exception):
    """`worker.start()` was called where an event loop runs. Use `await worker.aio_start()`."""
